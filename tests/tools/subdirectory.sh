#!/bin/sh
# A project that takes this one in by add_subdirectory gets the two libraries: no tool, tests, rules for
# installing, build type or targets whose names could be its own. (Nothing is compiled.)
set -eu
rm -rf host
mkdir host
cat >host/CMakeLists.txt <<'END'
cmake_minimum_required(VERSION 3.21)
project(host LANGUAGES C)
add_subdirectory("${UNROLL_SOURCE}" unroll)
foreach(name bench tensors completions exhaustive golden_logits fuzzers tests floors)
    add_custom_target(${name}) # an error where the name is taken
endforeach()
foreach(name unroll::unroll unroll::static)
    if(NOT TARGET ${name})
        message(FATAL_ERROR "there is no ${name}")
    endif()
endforeach()
get_property(targets DIRECTORY "${UNROLL_SOURCE}" PROPERTY BUILDSYSTEM_TARGETS)
foreach(name IN LISTS targets)
    if(NOT name MATCHES "^unroll_(shared|static|objects|exports|flags|warnings|dependencies)$")
        message(FATAL_ERROR "an unexpected target ${name}")
    endif()
endforeach()
get_property(tests DIRECTORY "${UNROLL_SOURCE}" PROPERTY TESTS)
if(tests)
    message(FATAL_ERROR "tests: ${tests}")
endif()
END
cmake -S host -B host/build -DCMAKE_C_COMPILER="$CC" -DUNROLL_SOURCE="$UNROLL_SOURCE_DIR" >configure.log 2>&1 || {
    cat configure.log
    exit 1
}
if ! grep -q '^CMAKE_BUILD_TYPE:STRING=$' host/build/CMakeCache.txt; then
    echo "a build type: $(grep '^CMAKE_BUILD_TYPE' host/build/CMakeCache.txt)"
    exit 1
fi
if grep -q 'file(INSTALL' host/build/unroll/cmake_install.cmake; then
    echo "there are rules for installing"
    exit 1
fi
