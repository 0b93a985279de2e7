# The instruction sets: src/kernels/NAME.c is compiled where PROCESSOR matches, with OPTIONS.
# A new instruction set is one line here and one small file. `plain` has no options on purpose:
# it is what every machine must be able to run.

set(unroll_isas
    #  name   | processor           | options
    "avx2   | x86_64|amd64        | -mavx2 -mfma"
    "avx512 | x86_64|amd64        | -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma -mprefer-vector-width=512"
    "neon   | aarch64|arm64       | "
)

# Removes from LIST the variants this processor lacks and gives each kernel file its options.
function(unroll_isa_sources list)
    set(sources ${${list}})
    string(TOLOWER "${CMAKE_SYSTEM_PROCESSOR}" processor)
    foreach(line IN LISTS unroll_isas)
        string(REGEX MATCH "^([a-z0-9]+) *\\| *([^ ]+) *\\| *(.*)$" ok "${line}")
        set(name "${CMAKE_MATCH_1}")
        set(pattern "${CMAKE_MATCH_2}")
        separate_arguments(options UNIX_COMMAND "${CMAKE_MATCH_3}")
        set(file "${PROJECT_SOURCE_DIR}/src/kernels/${name}.c")
        if(processor MATCHES "^(${pattern})$")
            set_property(SOURCE "${file}" APPEND PROPERTY COMPILE_OPTIONS ${options})
        else()
            list(REMOVE_ITEM sources "${file}")
        endif()
    endforeach()
    # Inner loops: all of the optimiser, and a square root need not tell errno. Under sanitizers
    # they take minutes to compile but for -O1; the fuzzers, which read files, leave them alone.
    set(options)
    if(UNROLL_FUZZ)
        set(options -O1 -fno-sanitize=all)
    elseif(UNROLL_SANITIZE)
        set(options -O1)
    elseif(CMAKE_BUILD_TYPE STREQUAL "Release" OR NOT CMAKE_BUILD_TYPE)
        set(options -O3 -fno-math-errno)
    endif()
    # AddressSanitizer's checks inside the vector loops would take minutes to compile: they become calls,
    # and the largest set does without, as its loops are those of the others.
    if(UNROLL_SANITIZE MATCHES "address")
        list(APPEND options -fno-sanitize=undefined)
        if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
            list(APPEND options --param=asan-instrumentation-with-call-threshold=0)
        endif()
        set_property(SOURCE "${PROJECT_SOURCE_DIR}/src/kernels/avx512.c" APPEND PROPERTY
                     COMPILE_OPTIONS -fno-sanitize=all)
    endif()
    foreach(file IN LISTS sources)
        if(options AND file MATCHES "/src/kernels/[^/]+\\.c$")
            set_property(SOURCE "${file}" APPEND PROPERTY COMPILE_OPTIONS ${options})
        endif()
    endforeach()
    set(${list} ${sources} PARENT_SCOPE)
endfunction()

# The kernel files that hold no vector instructions, for the build in double precision.
function(unroll_plain_kernels out)
    file(GLOB files CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/src/kernels/*.c")
    foreach(line IN LISTS unroll_isas)
        string(REGEX MATCH "^[a-z0-9]+" name "${line}")
        list(REMOVE_ITEM files "${PROJECT_SOURCE_DIR}/src/kernels/${name}.c")
    endforeach()
    set(${out} ${files} PARENT_SCOPE)
endfunction()
