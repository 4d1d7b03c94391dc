find_package(nlohmann_json REQUIRED)
find_package(RocksDB REQUIRED)

# A server inside the test, spoken to over real sockets.
function(tokend_server_test name)
  tokend_test(${name} LIBS tokend_server_lib nlohmann_json::nlohmann_json ${ARGN} LABELS server)
endfunction()

tokend_test(validate_frame_test LIBS tokend_server_lib LABELS unit)
tokend_test(answers_test LIBS tokend_server_lib LABELS unit)
tokend_test(config_test LIBS tokend_server_lib LABELS unit)
tokend_test(logging_test LIBS tokend_server_lib nlohmann_json::nlohmann_json LABELS unit)
tokend_test(discard_queue_test LIBS tokend_server_lib LABELS unit)
tokend_test(service_notify_test LIBS tokend_server_lib LABELS unit)
tokend_test(wipe_test LIBS tokend_server_lib LABELS unit)
tokend_test(worker_pool_test LIBS tokend_server_lib LABELS unit)
tokend_server_test(listener_test)
tokend_server_test(short_answer_test)
tokend_server_test(rpc_methods_test)
tokend_server_test(namespace_secret_test)
tokend_server_test(audit_test)
tokend_server_test(sealed_tokens_test)
tokend_server_test(rpc_stream_test)
tokend_server_test(rpc_bounds_test LABELS overload)
tokend_server_test(http_test LABELS overload)
tokend_server_test(http_auth_test)
tokend_server_test(access_test)
tokend_server_test(tls_server_test tokend_client OpenSSL::SSL)
tokend_server_test(http_oauth_test)
tokend_test(callers_test LIBS tokend_server_lib LABELS unit)
tokend_test(idempotency_test LIBS tokend_server_lib LABELS unit)
tokend_server_test(server_lifecycle_test LABELS fault)
target_link_libraries(server_lifecycle_test PRIVATE tokend_fault_disk)

# The program from outside, in another language. Debian's python3-msgpack is for /usr/bin/python3,
# whatever stands before it in PATH.
find_program(TOKEND_SYSTEM_PYTHON python3 HINTS /usr/bin REQUIRED)
# tokend_program_test(NAME argument...): tests/clients/NAME.py.
function(tokend_program_test name)
  add_test(NAME ${name} COMMAND ${TOKEND_SYSTEM_PYTHON} -B
    ${CMAKE_CURRENT_SOURCE_DIR}/clients/${name}.py $<TARGET_FILE:tokend> ${ARGN})
  set_tests_properties(${name} PROPERTIES TIMEOUT 300 LABELS "server;integration"
    ENVIRONMENT "${TOKEND_TEST_ENVIRONMENT}")
endfunction()
foreach(name program_test msgpack_client_test metrics_test deploy_test service_notify_client_test)
  tokend_program_test(${name})
endforeach()
foreach(name oauth_client_test leak_test top_test audit_rotation_test)
  tokend_program_test(${name} $<TARGET_FILE:tokenctl>)
endforeach()
tokend_program_test(rest_test ${CMAKE_SOURCE_DIR}/docs/openapi.json)

# Minutes of it with TOKEND_MODEL_SECONDS.
tokend_server_test(server_model_test tokend_client tokend_fault_disk RocksDB::rocksdb-shared LABELS model)
target_sources(server_model_test PRIVATE
  model/model_client.cc model/operation.cc model/token_history.cc model/token_state.cc)
