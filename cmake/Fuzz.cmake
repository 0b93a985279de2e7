# Fuzzers (preset fuzz): tests/fuzz/fuzz_NAME.c -> build/fuzz/fuzz/NAME; a seed corpus, if any,
# is tests/fuzz/corpus/NAME. The library is instrumented by Flags.cmake.

add_custom_target(fuzzers)
file(GLOB fuzz_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/fuzz/fuzz_*.c")
foreach(source IN LISTS fuzz_sources)
    get_filename_component(name "${source}" NAME_WE)
    add_executable(${name} EXCLUDE_FROM_ALL "${source}")
    string(REGEX REPLACE "^fuzz_" "" short "${name}")
    set_target_properties(${name} PROPERTIES OUTPUT_NAME "${short}"
        RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/fuzz")
    target_include_directories(${name} PRIVATE
        "${PROJECT_SOURCE_DIR}/src" "${PROJECT_SOURCE_DIR}/tests")
    target_link_libraries(${name} PRIVATE
        unroll_static unroll_flags unroll_warnings unroll_dependencies)
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    add_dependencies(fuzzers ${name})
endforeach()
