#!/bin/sh
# What is installed can be used: by pkg-config and by CMake, shared and static, after the tree was
# moved away from where it was installed; by shells and man.
set -eu
if [ -n "${UNROLL_SANITIZE-}" ]; then
    echo "skipped: a program of its own does not link with a sanitized library"
    exit 0
fi
rm -rf first moved user
cmake --install "$UNROLL_BUILD_DIR" --prefix "$PWD/first" >install.log
mv first moved
[ -x moved/bin/unroll-import-pt ] || { echo "unroll-import-pt is not installed" && exit 1; }
for file in bash-completion/completions/unroll zsh/site-functions/_unroll man/man1/unroll.1; do
    [ -s moved/share/$file ] || { echo "share/$file is not installed" && exit 1; }
done

mkdir user
cat >user/main.c <<'END'
#include <stdio.h>
#include <unroll.h>

int main(void)
{
    puts(ur_status_name(UR_OK));
    return 0;
}
END
cat >user/CMakeLists.txt <<'END'
cmake_minimum_required(VERSION 3.21)
project(user LANGUAGES C)
find_package(Unroll 0.1 QUIET)
if(Unroll_FOUND)
    message(FATAL_ERROR "a program written for 0.1 was given ${Unroll_VERSION}")
endif()
find_package(${NAME} 0.2 REQUIRED)
foreach(kind unroll static)
    add_executable(by_${kind} main.c)
    target_link_libraries(by_${kind} PRIVATE unroll::${kind})
endforeach()
END

pc=$(dirname "$(find "$PWD/moved" -name unroll.pc)")
export PKG_CONFIG_PATH="$pc"
# shellcheck disable=SC2046
{
    $CC user/main.c -o by_pkg_config $(pkg-config --cflags --libs unroll) "-Wl,-rpath,$pc/.."
    ./by_pkg_config
    # The name that a program looks for has the minor version in it while the major one is 0.
    if [ -e "$pc/../libunroll.so" ]; then
        LD_TRACE_LOADED_OBJECTS=1 ./by_pkg_config | grep -q 'libunroll\.so\.0\.2 =>'
    fi
    rm "$pc"/../libunroll.so* 2>/dev/null || rm "$pc"/../libunroll*.dylib
    $CC user/main.c -o by_pkg_config_static $(pkg-config --static --cflags --libs unroll)
    ./by_pkg_config_static
}

rm -r moved
cmake --install "$UNROLL_BUILD_DIR" --prefix "$PWD/moved" >install.log
cmake -S user -B user/build -DNAME=Unroll -DCMAKE_PREFIX_PATH="$PWD/moved" >configure.log
cmake --build user/build >build.log
user/build/by_unroll
user/build/by_static
cmake -S user -B user/small -DNAME=unroll -DCMAKE_PREFIX_PATH="$PWD/moved" >configure.log

sh "$UNROLL_SOURCE_DIR/tools/uninstall" "$UNROLL_BUILD_DIR/install_manifest.txt"
if [ -e moved ]; then
    echo "left after uninstalling: $(find moved)"
    exit 1
fi
