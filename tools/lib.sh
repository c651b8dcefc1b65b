# Shared by tools/demo, tools/test and tools/check: what they need and how it gets there.
# shellcheck shell=bash disable=SC2034,SC2191

# PACKAGE or PACKAGE=PROGRAM. With PROGRAM, having that program is enough, whoever installed it.
build_packages=(
  g++=g++
  cmake=cmake
  ninja-build=ninja
  libboost1.81-dev
  libboost-program-options1.81-dev
  libboost-json1.81-dev
  libfmt-dev
  libssl-dev
)
demo_packages=(python3=python3 ffmpeg=ffmpeg)
test_packages=(
  libgtest-dev
  python3=python3
  ffmpeg=ffmpeg
  rtmpdump=rtmpdump
  nginx=nginx
  libnginx-mod-rtmp
)
fuzz_packages=(clang=clang++ libclang-rt-14-dev)
check_packages=(clang-format=clang-format clang-tidy=clang-tidy)

die() {
  echo "$(basename "$0"): $*" >&2
  exit 1
}

heading() {
  printf '\n== %s\n' "$*"
}

is_installed() {
  [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2> /dev/null) == installed ]]
}

as_root() {
  if ((EUID == 0)); then
    "$@"
  else
    sudo "$@"
  fi
}

# as_root, but no service starts of what the command installs: Debian asks this file before
# (invoke-rc.d(8)).
as_root_without_services() (
  policy=/usr/sbin/policy-rc.d
  if [[ ! -e $policy ]]; then
    trap 'as_root rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' | as_root install -m 755 /dev/stdin "$policy"
  fi
  as_root "$@"
)

# install_missing PACKAGE[=PROGRAM]...: nothing that is there is touched, upgraded or removed, and
# without anything missing neither the network nor root is needed.
install_missing() {
  local entry package missing=()
  for entry in "$@"; do
    package=${entry%%=*}
    if [[ $entry == *=* ]] && command -v "${entry#*=}" > /dev/null; then continue; fi
    if ! command -v dpkg-query > /dev/null; then
      die "this is not Debian: install the counterpart of its package '$package' and put" \
        "${entry#*=} in the PATH; on other systems build with cmake, see README.md"
    fi
    is_installed "$package" || missing+=("$package")
  done
  ((${#missing[@]} == 0)) && return
  if ((EUID != 0)) && ! command -v sudo > /dev/null; then
    die "missing packages: ${missing[*]}. Run this as root, install sudo, or install them yourself"
  fi
  echo "Installing what is missing: ${missing[*]}"
  as_root apt-get -q update
  as_root_without_services env DEBIAN_FRONTEND=noninteractive \
    apt-get -q install -y --no-install-recommends --no-remove "${missing[@]}" ||
    die "apt-get could not install: ${missing[*]}"
  # The tests start one of their own: the machine's needs not come with the next boot.
  if [[ " ${missing[*]} " == *' nginx '* && -d /run/systemd/system ]]; then
    as_root systemctl --quiet disable nginx
  fi
}

# build PRESET [TARGET...]: configures and builds; on a terminal ninja shows its progress there,
# else only a failure is shown. Everything goes to build/PRESET.log.
build() {
  local preset=$1 log=build/$1.log jobs targets=()
  shift
  (($# > 0)) && targets=(--target "$@")
  jobs=$(nproc)
  mkdir -p build
  echo "Building preset '$preset' with $jobs jobs; the first time takes minutes (log: $log)"
  if ! cmake --preset "$preset" > "$log" 2>&1; then
    tail -n 40 "$log" >&2
    die "cmake --preset $preset failed"
  fi
  if [[ -t 1 ]]; then
    cmake --build --preset "$preset" -j "$jobs" "${targets[@]}" || die "the build failed"
  elif ! cmake --build --preset "$preset" -j "$jobs" "${targets[@]}" >> "$log" 2>&1; then
    grep -A 30 -m 1 '^FAILED' "$log" >&2 || tail -n 40 "$log" >&2
    die "the build failed: $log"
  fi
}
