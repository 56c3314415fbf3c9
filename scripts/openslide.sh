#!/bin/sh
# Makes sure of an OpenSlide to build against, and says which one it is: the
# system's where that is new enough, else the prebuilt library from PyPI,
# unpacked into .deps/openslide. The network is needed once per machine.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd -P)
# shellcheck source=scripts/common.sh
. "$root/scripts/common.sh"

# 4.0.0 can be made to write out of bounds by a crafted BIF file; 3.4 has
# neither DICOM nor the cache interface.
oldest=4.0.1
version=4.0.1.2
folder=$root/.deps/openslide
library=libopenslide.so.1

case $(uname -s)-$(uname -m) in
    Linux-x86_64)
        platform=manylinux_2_28_x86_64
        sha256=8ac4aa3a2277ed5e218ca0019db65bdd6e853f865eb4edd3da00e2f4acf0c923
        ;;
    Linux-aarch64)
        platform=manylinux_2_28_aarch64
        sha256=0dff14807e1b7ccfd476ca5b6945edf46908b76ec61777d35acb2a514e205c30
        ;;
    Darwin-*)
        platform=macosx_11_0_universal2
        sha256=230cdb1e2cfa88b9f28ca8f51a7b47065b20a855ad3e7ba141cd663e5a713e8c
        library=libopenslide.1.dylib
        ;;
    *) platform= ;;
esac
wheel=openslide_bin-$version-py3-none-$platform.whl

# The system's own, asked for without this checkout's folder in the path.
outside=$(printf %s "${PKG_CONFIG_PATH:-}" | tr ':' '\n' | grep -vxF "$folder/lib/pkgconfig" | paste -s -d : -)
system() { PKG_CONFIG_PATH=$outside pkg-config "$@" openslide 2>/dev/null; }
if system --atleast-version=$oldest; then
    rm -rf "$folder"
    say "OpenSlide: $(system --modversion), the system's, in $(system --variable=libdir)"
    exit 0
fi
[ -n "$platform" ] ||
    die "OpenSlide: PyPI has no library for $(uname -s) on $(uname -m). Install OpenSlide $oldest or newer with its development files, then try again."

# Already there, with this checkout's header?
ours=$root/scripts/openslide
if [ "$(cat "$folder/WHEEL" 2>/dev/null)" = "$wheel" ] && [ -f "$folder/lib/$library" ] &&
    cmp -s "$ours/openslide.h" "$folder/include/openslide.h" &&
    cmp -s "$ours/openslide.pc" "$folder/lib/pkgconfig/openslide.pc"; then
    say "OpenSlide: $version from PyPI, in .deps/openslide"
    exit 0
fi

fetch_wheel openslide-bin "$version" "$wheel" "$sha256"

# Unpacked beside its final place and moved there last, so that an interrupted
# run leaves no half of it.
new=$root/.deps/new.$$
trap 'rm -rf "$new"' EXIT
mkdir -p "$new/wheel" "$new/lib/pkgconfig" "$new/include"
unzip -q "$cache/downloads/$wheel" -d "$new/wheel"
mv "$new/wheel/openslide_bin/$library" "$new/lib/$library"
mv "$new/wheel/openslide_bin-$version.dist-info/licenses" "$new/licenses"
rm -rf "$new/wheel"
# The linker asks for the name without the number.
case $library in
    *.dylib) ln -s "$library" "$new/lib/libopenslide.dylib" ;;
    *) ln -s "$library" "$new/lib/libopenslide.so" ;;
esac
cp "$ours/openslide.h" "$new/include/openslide.h"
cp "$ours/openslide.pc" "$new/lib/pkgconfig/openslide.pc"
printf '%s\n' "$wheel" >"$new/WHEEL"
rm -rf "$folder"
mv "$new" "$folder"
say "OpenSlide: $version from PyPI, in .deps/openslide"
