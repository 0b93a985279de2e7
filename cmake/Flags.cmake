# Compiler flags. unroll_flags: what everything is built with; unroll_warnings: our own code only.

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_C_VISIBILITY_PRESET default) # the export list of the shared library hides the rest
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_THREAD_PREFER_PTHREAD ON)
set(THREADS_PREFER_PTHREAD_FLAG ON)

set(no_build_type OFF) # a project that took this one in may have none: its affair
if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
    set(no_build_type ON)
endif()
if(no_build_type AND PROJECT_IS_TOP_LEVEL)
    set(CMAKE_BUILD_TYPE Release CACHE STRING "Release, Debug or RelWithDebInfo" FORCE)
endif()
# RelWithDebInfo keeps its assertions: it is what the sanitizers run on.
set(CMAKE_C_FLAGS_RELEASE "-O2 -DNDEBUG")
set(CMAKE_C_FLAGS_DEBUG "-O0 -g3")
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O2 -g")
if(UNROLL_SANITIZE) # a third less to compile, and the tests hardly take longer
    set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O1 -g")
elseif(UNROLL_FUZZ)
    set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O1 -gline-tables-only")
elseif(UNROLL_TINY)
    set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O1")
endif()

# The same bits everywhere: no multiply and add is fused that was not written as fused.
add_library(unroll_flags INTERFACE)
target_compile_options(unroll_flags INTERFACE -ffp-contract=off)
if(no_build_type AND NOT PROJECT_IS_TOP_LEVEL)
    target_compile_options(unroll_flags INTERFACE -O2)
endif()
target_compile_definitions(unroll_flags INTERFACE _POSIX_C_SOURCE=200809L _DEFAULT_SOURCE)
if(APPLE)
    target_compile_definitions(unroll_flags INTERFACE _DARWIN_C_SOURCE)
endif()

if(UNROLL_TINY)
    target_compile_definitions(unroll_flags INTERFACE UR_TINY)
endif()

set(sanitizers "${UNROLL_SANITIZE}")
if(UNROLL_FUZZ)
    if(NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
        message(FATAL_ERROR "UNROLL_FUZZ needs clang (preset fuzz)")
    endif()
    set(sanitizers "fuzzer-no-link,address,undefined")
endif()
if(sanitizers)
    target_compile_options(unroll_flags INTERFACE
        "-fsanitize=${sanitizers}" -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_link_options(unroll_flags INTERFACE "-fsanitize=${sanitizers}")
endif()

add_library(unroll_warnings INTERFACE)
target_compile_options(unroll_warnings INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion)
if(UNROLL_WERROR)
    target_compile_options(unroll_warnings INTERFACE -Werror)
endif()
