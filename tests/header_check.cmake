# header_check: compiles each header alone, so that a .cc may include any of them first. Built by
# ./dev check only.
set(header_check_sources)
foreach(room protocol storage import server client bench tests)
  file(GLOB_RECURSE headers CONFIGURE_DEPENDS
    RELATIVE ${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/${room}/*.h)
  foreach(header ${headers})
    string(REPLACE "/" "_" source ${header})
    set(source ${CMAKE_BINARY_DIR}/header_check/${source}.cc)
    # Written only when new: what is rewritten is compiled again.
    if(NOT EXISTS ${source})
      file(WRITE ${source} "#include \"${header}\"\n")
    endif()
    list(APPEND header_check_sources ${source})
  endforeach()
endforeach()
add_library(header_check OBJECT EXCLUDE_FROM_ALL ${header_check_sources})
target_link_libraries(header_check PRIVATE tokend_flags)
# Nobody links it, so it need not be good code.
target_compile_options(header_check PRIVATE -O0 -g0)
