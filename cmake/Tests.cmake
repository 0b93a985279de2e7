# Tests, all run by CTest:
#   tests/<folder>/test_NAME.c         a cmocka program, <folder>_NAME
#   tests/double/<folder>/test_NAME.c  the same against the library built with double for float
#   tests/<folder>/NAME.sh             a shell script (lib*.sh are what scripts share)
#   examples/NAME.c, NAME.cpp          must build against the public headers alone, and exit 0
# tests/support/*.c is linked into every program. Each test runs in a folder of its own.

pkg_check_modules(CMOCKA IMPORTED_TARGET cmocka)
if(NOT CMOCKA_FOUND)
    message(FATAL_ERROR "cmocka not found: run tools/bootstrap, or set -DUNROLL_TESTS=OFF")
endif()

set(tests "${PROJECT_SOURCE_DIR}/tests")
set(test_environment
    "UNROLL_SOURCE_DIR=${PROJECT_SOURCE_DIR}"
    "UNROLL_BUILD_DIR=${PROJECT_BINARY_DIR}"
    "UNROLL_SHARED=${UNROLL_SHARED}"
    "UNROLL_TOOL=${PROJECT_BINARY_DIR}/unroll"
    "UNROLL_TENSORS=${PROJECT_BINARY_DIR}/tests/tensors"
    "UNROLL_FAULTS=${PROJECT_BINARY_DIR}/tests/faults.so"
    "CC=${CMAKE_C_COMPILER}"
    "ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1:intercept_strstr=0"
    "UBSAN_OPTIONS=print_stacktrace=1"
    "TSAN_OPTIONS=halt_on_error=1")
# Those worth running under ThreadSanitizer carry the label `threads`.
set(threads_pattern "^(base_(threads|pool|team|fpmode)|backend_|models_|train_|run_|cli_.*train)")

# Adds the test NAME (already a command line in ARGN) with its folder as its label.
function(unroll_add_test name folder)
    set(work "${PROJECT_BINARY_DIR}/tests/work/${name}")
    file(MAKE_DIRECTORY "${work}")
    add_test(NAME ${name} COMMAND ${ARGN} WORKING_DIRECTORY "${work}")
    set(labels ${folder})
    if(name MATCHES "${threads_pattern}")
        list(APPEND labels threads)
    endif()
    set(environment ${test_environment})
    if(UNROLL_SANITIZE)
        list(APPEND environment "UNROLL_SANITIZE=${UNROLL_SANITIZE}")
    endif()
    if(UNROLL_TINY)
        list(APPEND environment "UNROLL_TINY=1")
    endif()
    set_tests_properties(${name} PROPERTIES
        LABELS "${labels}" ENVIRONMENT "${environment}" TIMEOUT 400 SKIP_RETURN_CODE 77)
endfunction()

# Gives the test the label `slow` where its source asks how long it may take (support/slow.h).
function(unroll_label_slow name source)
    file(STRINGS "${source}" asks REGEX "support/slow\\.h|UNROLL_SLOW" LIMIT_COUNT 1)
    if(asks)
        set_property(TEST ${name} APPEND PROPERTY LABELS slow)
    endif()
endfunction()

# NAME and FOLDER of a test's source: tests/nn/test_lstm.c -> nn_lstm, nn.
function(unroll_test_name source name folder)
    file(RELATIVE_PATH path "${tests}" "${source}")
    string(REGEX REPLACE "/.*" "" top "${path}")
    string(REGEX REPLACE "\\.(c|sh)$" "" id "${path}")
    string(REGEX REPLACE "(^|/)test_([^/]*)$" "\\1\\2" id "${id}")
    string(REPLACE "/" "_" id "${id}")
    set(${name} "${id}" PARENT_SCOPE)
    set(${folder} "${top}" PARENT_SCOPE)
endfunction()

# What those with the label `threads` need, scripts included.
set(threads_tests tensors)
if(TARGET unroll_tool)
    list(APPEND threads_tests unroll_tool)
endif()

# What every test program shares.
add_library(unroll_test_flags INTERFACE)
target_include_directories(unroll_test_flags INTERFACE
    "${PROJECT_SOURCE_DIR}/include" "${PROJECT_SOURCE_DIR}/src" "${tests}")
target_link_libraries(unroll_test_flags INTERFACE
    unroll_flags unroll_warnings unroll_dependencies PkgConfig::CMOCKA)

file(GLOB support_sources CONFIGURE_DEPENDS "${tests}/support/*.c")
if(support_sources)
    add_library(unroll_test_support STATIC ${support_sources})
    target_link_libraries(unroll_test_support PRIVATE unroll_test_flags)
endif()

# ---- the library in double precision --------------------------------------------------------

set(double_sources)
foreach(folder base backend tensor tape nn text data models)
    file(GLOB_RECURSE found CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/src/${folder}/*.c")
    list(APPEND double_sources ${found})
endforeach()
list(FILTER double_sources EXCLUDE REGEX "/src/backend/cuda/")
foreach(reader json_read json_tree) # questions stand in JSON
    list(APPEND double_sources "${PROJECT_SOURCE_DIR}/src/io/${reader}.c")
endforeach()
unroll_plain_kernels(plain_kernels)
list(APPEND double_sources ${plain_kernels})

add_library(unroll_double_flags INTERFACE)
target_compile_definitions(unroll_double_flags INTERFACE UR_REAL_IS_DOUBLE)
target_compile_options(unroll_double_flags INTERFACE
    "SHELL:-include \"${tests}/double/as_double.h\"")
target_link_libraries(unroll_double_flags INTERFACE unroll_test_flags)
# A call of fma() is an instruction where this machine has it: a third of the time of these tests.
if(NOT CMAKE_CROSSCOMPILING AND CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|amd64|AMD64)$")
    include(CheckCSourceRuns)
    check_c_source_runs("int main(void) { return !__builtin_cpu_supports(\"fma\"); }" UNROLL_HAS_FMA)
    if(UNROLL_HAS_FMA)
        target_compile_options(unroll_double_flags INTERFACE -mfma)
    endif()
endif()

add_library(unroll_double STATIC EXCLUDE_FROM_ALL ${double_sources})
target_link_libraries(unroll_double PRIVATE unroll_double_flags)
if(support_sources)
    add_library(unroll_test_support_double STATIC EXCLUDE_FROM_ALL ${support_sources})
    target_compile_definitions(unroll_test_support_double PRIVATE UR_DOUBLE_TEST)
    target_link_libraries(unroll_test_support_double PRIVATE unroll_double_flags)
endif()

# ---- test programs --------------------------------------------------------------------------

file(GLOB_RECURSE test_sources CONFIGURE_DEPENDS "${tests}/test_*.c")
if(NOT UNROLL_DOUBLE)
    list(FILTER test_sources EXCLUDE REGEX "/tests/double/")
endif()
foreach(source IN LISTS test_sources)
    unroll_test_name("${source}" name folder)
    add_executable(test_${name} "${source}")
    if(folder STREQUAL "double")
        target_compile_definitions(test_${name} PRIVATE UR_DOUBLE_TEST)
        target_link_libraries(test_${name} PRIVATE
            $<TARGET_NAME_IF_EXISTS:unroll_test_support_double> unroll_double
            unroll_double_flags)
    else()
        target_link_libraries(test_${name} PRIVATE
            $<TARGET_NAME_IF_EXISTS:unroll_test_support> unroll_static unroll_test_flags)
    endif()
    set_target_properties(test_${name} PROPERTIES
        RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests")
    unroll_add_test(${name} ${folder} test_${name})
    unroll_label_slow(${name} "${source}")
    if(name MATCHES "${threads_pattern}")
        list(APPEND threads_tests test_${name})
    endif()
endforeach()

# What scripts call beside the tool.
add_executable(tensors "${tests}/cli/tensors.c")
target_link_libraries(tensors PRIVATE unroll_static unroll_flags unroll_warnings)
set_target_properties(tensors PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests")

add_custom_target(threads_tests DEPENDS ${threads_tests})

file(GLOB script_sources CONFIGURE_DEPENDS "${tests}/*/*.sh")
list(FILTER script_sources EXCLUDE REGEX "/(lib|common)[^/]*\\.sh$")
foreach(source IN LISTS script_sources)
    unroll_test_name("${source}" name folder)
    file(STRINGS "${source}" first_line LIMIT_COUNT 1)
    if(first_line MATCHES "bash")
        unroll_add_test(${name} ${folder} bash "${source}")
    else()
        unroll_add_test(${name} ${folder} sh "${source}")
    endif()
    unroll_label_slow(${name} "${source}")
endforeach()

file(GLOB example_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/examples/*.c")
include(CheckLanguage)
check_language(CXX)
if(CMAKE_CXX_COMPILER)
    enable_language(CXX)
    set(CMAKE_CXX_STANDARD 17)
    set(CMAKE_CXX_STANDARD_REQUIRED ON)
    set(CMAKE_CXX_EXTENSIONS OFF)
    file(GLOB cxx_examples CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/examples/*.cpp")
    list(APPEND example_sources ${cxx_examples})
endif()
foreach(source IN LISTS example_sources)
    get_filename_component(name "${source}" NAME_WE)
    add_executable(example_${name} "${source}")
    target_link_libraries(example_${name} PRIVATE unroll::unroll unroll_flags unroll_warnings m)
    set_target_properties(example_${name} PROPERTIES
        RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/examples")
    unroll_add_test(example_${name} examples example_${name})
endforeach()

# The tool again, linked against the shared library: it builds only while it keeps to the public
# functions.
if(TARGET unroll_tool)
    get_target_property(sources unroll_tool SOURCES)
    add_executable(unroll_tool_shared ${sources})
    set_target_properties(unroll_tool_shared PROPERTIES
        RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests")
    target_include_directories(unroll_tool_shared PRIVATE src)
    target_link_libraries(unroll_tool_shared PRIVATE
        unroll::unroll unroll_flags unroll_warnings m)
endif()

unroll_add_test(odd_entries tools sh "${PROJECT_SOURCE_DIR}/tools/exports" entries "${tests}/api"
                ${public_headers})
unroll_add_test(floors tools sh "${PROJECT_SOURCE_DIR}/tools/check_floors")
if(NOT APPLE)
    unroll_add_test(public_functions tools sh "${PROJECT_SOURCE_DIR}/tools/exports" check
                    $<TARGET_FILE:unroll_shared> ${public_headers})
endif()

# Every float there is, minutes: `cmake --build build/release --target exhaustive`.
set(exhaustive "${tests}/kernels/exhaustive_math.c")
if(EXISTS "${exhaustive}")
    add_executable(exhaustive_math EXCLUDE_FROM_ALL "${exhaustive}")
    target_link_libraries(exhaustive_math PRIVATE unroll_static unroll_test_flags)
    add_custom_target(exhaustive COMMAND exhaustive_math USES_TERMINAL)
endif()

# Makes one allocation or one call on files of a whole process fail (tests/cli/faults.sh).
include(CheckSymbolExists)
check_symbol_exists(__GLIBC__ "features.h" UNROLL_HAS_GLIBC)
if(UNROLL_HAS_GLIBC AND NOT UNROLL_SANITIZE)
    add_library(faults MODULE "${tests}/cli/faults.c")
    target_link_libraries(faults PRIVATE ${CMAKE_DL_LIBS})
    set_target_properties(faults PROPERTIES PREFIX "" C_EXTENSIONS ON
        LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests")
endif()
