#!/bin/sh
# Gets this machine ready: setup.sh [run] [test] [lint]
#
# Checks what is missing for building and for the parts named, asks for all the
# system packages at once, and sees to OpenSlide. What is there already is left
# as it is, so a second run takes no time and needs no network.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd -P)
# shellcheck source=scripts/common.sh
. "$root/scripts/common.sh"

parts=" build $* "
wants() { case $parts in *" $1 "*) true ;; *) false ;; esac }

packages=
missing=
# need WHAT PACKAGE... : WHAT is missing, and these packages bring it.
need() {
    missing="$missing
  $1"
    shift
    packages="$packages $*"
}

any() {
    for candidate in "$@"; do
        if [ -e "$candidate" ]; then return 0; fi
    done
    return 1
}

check_rust() {
    have cargo || die "Rust is missing: install it from https://rustup.rs, then try again."
    wanted=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' "$root/Cargo.toml")
    found=$(cargo --version | cut -d' ' -f2)
    newest=$(printf '%s\n%s\n' "$wanted" "$found" | sort -t. -k1,1n -k2,2n | tail -n 1)
    [ "$newest" = "$found" ] ||
        die "Rust $wanted or newer is needed and this is $found: type 'rustup update stable', then try again."
    if wants lint; then
        { cargo fmt --version && cargo clippy --version; } >/dev/null 2>&1 ||
            die "rustfmt or clippy is missing: type 'rustup component add rustfmt clippy', then try again."
    fi
}

check_linux() {
    have cc || need "a C compiler, whose linker Rust uses" gcc libc6-dev
    any /usr/include/stdint.h || need "the C library's headers" libc6-dev
    have make || need "make" make
    have pkg-config || need "pkg-config" pkg-config
    have unzip || need "unzip" unzip
    have curl || have wget || need "curl" curl ca-certificates
    # bindgen reads OpenSlide's header with libclang, which needs clang's own
    # headers too. Whoever sets the variable has seen to both.
    [ -n "${LIBCLANG_PATH:-}" ] || { libclang && libclang_headers; } ||
        need "libclang" libclang-dev

    if wants run || wants test; then
        libraries=$(PATH=$PATH:/sbin:/usr/sbin ldconfig -p 2>/dev/null || true)
        # The window's libraries are loaded when it opens, not linked, so a
        # missing one would show only then.
        library libX11.so.6 libx11-6
        library libX11-xcb.so.1 libx11-xcb1
        library libXcursor.so.1 libxcursor1
        library libXi.so.6 libxi6
        library libxkbcommon-x11.so.0 libxkbcommon-x11-0
        library libwayland-client.so.0 libwayland-client0
        library libfontconfig.so.1 libfontconfig1
        library libvulkan.so.1 libvulkan1
        [ -n "${VK_DRIVER_FILES:-}${VK_ICD_FILENAMES:-}" ] ||
            any /etc/vulkan/icd.d/*.json /usr/share/vulkan/icd.d/*.json \
                /usr/local/etc/vulkan/icd.d/*.json /usr/local/share/vulkan/icd.d/*.json \
                "${XDG_DATA_HOME:-$HOME/.local/share}"/vulkan/icd.d/*.json ||
            need "a Vulkan driver" mesa-vulkan-drivers
    fi
    if wants test; then
        have Xvfb || need "Xvfb, the screen that the window tests use" xvfb
        have xdotool || need "xdotool, which presses their keys" xdotool
    fi
    if wants lint; then
        have shellcheck || need "shellcheck" shellcheck
    fi
}

# The places where bindgen looks for it.
libclang() {
    for place in /usr/lib/llvm*/lib /usr/lib64/llvm*/lib64 \
        /usr/lib /usr/lib64 /usr/lib/*-linux-gnu /usr/local/lib; do
        if any "$place"/libclang.so* "$place"/libclang-[0-9]*.so*; then return 0; fi
    done
    return 1
}

libclang_headers() {
    any /usr/lib*/llvm*/lib*/clang/*/include/stddef.h \
        /usr/lib*/clang/*/include/stddef.h /usr/local/lib/clang/*/include/stddef.h
}

# library FILE PACKAGE
library() {
    case $libraries in
        *"$1 "*) ;;
        *) need "$1" "$2" ;;
    esac
}

check_macos() {
    xcode-select -p >/dev/null 2>&1 ||
        die "The command line tools are missing: type 'xcode-select --install', then try again."
    have pkg-config || need "pkg-config" pkgconf
    if wants lint; then
        have shellcheck || need "shellcheck" shellcheck
    fi
}

install_with_apt() {
    line="apt-get install --no-install-recommends$packages"
    if [ "$(id -u)" = 0 ]; then
        as_root=
    elif have sudo && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
        as_root=sudo
    else
        die "Type this, then try again:
  sudo apt-get update && sudo $line"
    fi
    say "Installing:$packages"
    # Someone who can answer is asked by apt itself.
    answer=
    [ -t 0 ] || answer=--yes
    # An index that is out of date may still do, so the install decides.
    $as_root apt-get -o DPkg::Lock::Timeout=600 -qq update || true
    # shellcheck disable=SC2086 # each package is a word of its own
    $as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get -o DPkg::Lock::Timeout=600 -q $answer install --no-install-recommends $packages ||
        die "The packages could not be installed. Type this, then try again:
  sudo apt-get update && sudo $line"
}

install_with_brew() {
    have brew || die "Install$packages, for example with Homebrew (https://brew.sh):
  brew install$packages"
    say "Installing:$packages"
    # shellcheck disable=SC2086 # each package is a word of its own
    brew install --quiet $packages
}

check() {
    missing=
    packages=
    case $(uname -s) in
        Linux) check_linux ;;
        Darwin) check_macos ;;
        *) die "This works on Linux and macOS." ;;
    esac
    # A package that two things need is named once.
    packages=$(printf %s "$packages" | tr ' ' '\n' | sort -u | sed 's/^./ &/' | tr -d '\n')
}

check_rust
check
if [ -n "$missing" ]; then
    say "Missing on this machine:$missing"
    if have apt-get; then
        install_with_apt
    elif [ "$(uname -s)" = Darwin ]; then
        install_with_brew
    else
        die "Install these with the system's package manager, then try again. (Debian's names are:$packages)"
    fi
    check
    [ -z "$missing" ] || die "Still missing after that:$missing"
fi

sh "$root/scripts/openslide.sh"
if wants lint; then
    sh "$root/scripts/tools.sh"
fi
