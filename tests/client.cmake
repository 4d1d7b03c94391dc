tokend_test(client_test LIBS tokend_client tokend_protocol LABELS unit)
tokend_test(client_calls_test LIBS tokend_client tokend_protocol LABELS unit)
tokend_test(json_test LIBS tokend_client tokend_protocol nlohmann_json::nlohmann_json LABELS unit)
tokend_test(time_arg_test LIBS tokenctl_lib LABELS unit)
tokend_test(table_test LIBS tokenctl_lib LABELS unit)
tokend_test(tokenctl_test LIBS tokenctl_lib LABELS unit)
tokend_test(tokenctl_audit_test LIBS tokenctl_lib LABELS unit)
tokend_test(tokenctl_tokens_test LIBS tokenctl_lib LABELS unit)
tokend_test(tokenctl_top_test LIBS tokenctl_lib LABELS unit)
tokend_test(completion_test LIBS tokenctl_lib LABELS unit)
tokend_test(tokenctl_pacer_test LIBS tokenctl_lib LABELS unit)
tokend_test(import_sender_test LIBS tokenctl_lib LABELS unit)
tokend_test(import_report_test LIBS tokenctl_lib LABELS unit)
tokend_test(export_format_test LIBS tokenctl_lib tokend_import LABELS unit)

# The built programs, as they are.
tokend_test(tokenctl_integration_test LIBS tokend_client nlohmann_json::nlohmann_json
  LABELS integration
  DEFINITIONS TOKEND_PROGRAM="$<TARGET_FILE:tokend>" TOKENCTL_PROGRAM="$<TARGET_FILE:tokenctl>")
target_sources(tokenctl_integration_test PRIVATE system/server_process.cc)
add_dependencies(tokenctl_integration_test tokend tokenctl)

# The installed library, used by a project of its own. It needs tokend and tokend_client built.
if(TOKEND_SANITIZE)
  set(example_flags -fsanitize=${TOKEND_SANITIZE})
endif()
add_test(NAME client_install_test COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/client_install_test.sh
  ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR} $<TARGET_FILE:tokend> ${CMAKE_CXX_COMPILER}
  "${example_flags}")
set_tests_properties(client_install_test PROPERTIES TIMEOUT 300 LABELS integration)

add_test(NAME tokenctl_docs_test COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/tokenctl_docs_test.sh
  ${CMAKE_SOURCE_DIR} $<TARGET_FILE:tokend> $<TARGET_FILE:tokenctl>)
set_tests_properties(tokenctl_docs_test PROPERTIES TIMEOUT 120 LABELS integration)
