# Libraries, headers, tool, import_pt, completions, manual pages, pkg-config file, CMake package.
include(CMakePackageConfigHelpers)

set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/Unroll")
set_target_properties(unroll_shared PROPERTIES EXPORT_NAME unroll)
set_target_properties(unroll_static PROPERTIES EXPORT_NAME static)
# Two export sets: a program that uses the shared library needs none of our dependencies.
install(TARGETS unroll_shared EXPORT UnrollShared)
install(TARGETS unroll_static EXPORT UnrollStatic)
install(EXPORT UnrollShared NAMESPACE unroll:: DESTINATION "${package_dir}")
install(EXPORT UnrollStatic NAMESPACE unroll:: DESTINATION "${package_dir}")

install(FILES include/unroll.h DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
install(DIRECTORY include/unroll DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
        FILES_MATCHING PATTERN "*.h")
if(TARGET unroll_tool)
    install(TARGETS unroll_tool)
    # The tool prints what shells need to complete its command lines.
    if(NOT CMAKE_CROSSCOMPILING OR CMAKE_CROSSCOMPILING_EMULATOR)
        set(completions "${PROJECT_BINARY_DIR}/completions")
        file(MAKE_DIRECTORY "${completions}")
        add_custom_command(
            OUTPUT "${completions}/unroll" "${completions}/_unroll"
            COMMAND unroll_tool completions bash >"${completions}/unroll"
            COMMAND unroll_tool completions zsh >"${completions}/_unroll"
            DEPENDS unroll_tool)
        add_custom_target(completions ALL DEPENDS "${completions}/unroll" "${completions}/_unroll")
        install(FILES "${completions}/unroll"
                DESTINATION "${CMAKE_INSTALL_DATADIR}/bash-completion/completions")
        install(FILES "${completions}/_unroll"
                DESTINATION "${CMAKE_INSTALL_DATADIR}/zsh/site-functions")
    endif()
endif()

install(PROGRAMS tools/import_pt.py DESTINATION "${CMAKE_INSTALL_BINDIR}"
        RENAME unroll-import-pt)

file(GLOB manual_pages CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/docs/*.1")
install(FILES ${manual_pages} DESTINATION "${CMAKE_INSTALL_MANDIR}/man1")
install(FILES LICENSE DESTINATION "${CMAKE_INSTALL_DOCDIR}")

# The file finds its prefix from where it stands, so that the tree can be moved.
file(RELATIVE_PATH UNROLL_PC_PREFIX
     "${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig" "${CMAKE_INSTALL_PREFIX}")
string(REGEX REPLACE "/$" "" UNROLL_PC_PREFIX "${UNROLL_PC_PREFIX}")
configure_file(unroll.pc.in unroll.pc @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/unroll.pc"
        DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")

# Files of these names are found by find_package(unroll) and find_package(Unroll).
configure_package_config_file(UnrollConfig.cmake.in unroll-config.cmake
    INSTALL_DESTINATION "${package_dir}")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/unroll-config-version.cmake"
    COMPATIBILITY ${compatibility})
install(FILES "${PROJECT_BINARY_DIR}/unroll-config.cmake"
              "${PROJECT_BINARY_DIR}/unroll-config-version.cmake"
        DESTINATION "${package_dir}")
