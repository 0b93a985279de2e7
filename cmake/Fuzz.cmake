# Fuzzers (preset fuzz): tests/fuzz/fuzz_NAME.c -> build/fuzz/fuzz/NAME; its corpus is tests/fuzz/corpus/NAME, a
# dictionary, if any, tests/fuzz/NAME.dict. What they share: tests/fuzz/frame.c, runs.c. The library is
# instrumented by Flags.cmake.

add_custom_target(fuzzers)

add_library(fuzz_frame STATIC EXCLUDE_FROM_ALL
    "${PROJECT_SOURCE_DIR}/tests/fuzz/frame.c" "${PROJECT_SOURCE_DIR}/tests/fuzz/runs.c")
target_link_libraries(fuzz_frame PRIVATE unroll_static unroll_flags unroll_warnings)

# The tool, to be called as a function.
file(GLOB fuzz_tool_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/src/cli/*.c")
list(FILTER fuzz_tool_sources EXCLUDE REGEX "/signals\\.c$")
add_library(fuzz_tool STATIC EXCLUDE_FROM_ALL ${fuzz_tool_sources})
target_include_directories(fuzz_tool PRIVATE "${PROJECT_SOURCE_DIR}/src")
target_compile_definitions(fuzz_tool PRIVATE main=unroll_main)
target_link_libraries(fuzz_tool PRIVATE unroll_static unroll_flags unroll_warnings)

file(GLOB fuzz_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/fuzz/fuzz_*.c")
foreach(source IN LISTS fuzz_sources)
    get_filename_component(name "${source}" NAME_WE)
    add_executable(${name} EXCLUDE_FROM_ALL "${source}")
    string(REGEX REPLACE "^fuzz_" "" short "${name}")
    set_target_properties(${name} PROPERTIES OUTPUT_NAME "${short}"
        RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/fuzz")
    target_include_directories(${name} PRIVATE
        "${PROJECT_SOURCE_DIR}/src" "${PROJECT_SOURCE_DIR}/tests")
    target_link_libraries(${name} PRIVATE fuzz_frame
        unroll_static unroll_flags unroll_warnings unroll_dependencies)
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    add_dependencies(fuzzers ${name})
endforeach()
target_link_libraries(fuzz_commands PRIVATE fuzz_tool fuzz_frame unroll_static)
