# What the library stands on: utf8proc, Random123 (headers only), threads, libm.

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(UTF8PROC REQUIRED IMPORTED_TARGET libutf8proc)
find_path(RANDOM123_INCLUDE_DIR Random123/philox.h)
if(NOT RANDOM123_INCLUDE_DIR)
    message(FATAL_ERROR "Random123/philox.h not found: run tools/bootstrap, "
                        "or set RANDOM123_INCLUDE_DIR")
endif()

set(UNROLL_LINK_LIBRARIES PkgConfig::UTF8PROC Threads::Threads m)

add_library(unroll_dependencies INTERFACE)
target_include_directories(unroll_dependencies SYSTEM INTERFACE "${RANDOM123_INCLUDE_DIR}")
target_link_libraries(unroll_dependencies INTERFACE ${UNROLL_LINK_LIBRARIES})
