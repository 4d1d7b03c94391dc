find_package(rapidcheck REQUIRED)

tokend_test(token_test LIBS tokend_protocol LABELS unit)
tokend_test(error_test LIBS tokend_protocol LABELS unit)
tokend_test(digest_test LIBS tokend_protocol LABELS unit)
find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
tokend_test(secret_test LIBS tokend_protocol fmt::fmt nlohmann_json::nlohmann_json LABELS unit)
tokend_test(sha256_ni_test LIBS tokend_protocol OpenSSL::Crypto LABELS unit)
tokend_test(http_reader_test LIBS tokend_http LABELS unit)
tokend_test(url_test LIBS tokend_http LABELS unit)
tokend_test(tls_session_test LIBS tokend_tls tokend_protocol OpenSSL::Crypto LABELS unit)
tokend_test(issued_token_test LIBS tokend_protocol LABELS unit)
tokend_test(msgpack_test LIBS tokend_protocol LABELS unit)
# Against msgpack-c, which no product code links.
tokend_test(msgpack_reference_test LIBS tokend_protocol rapidcheck LABELS unit
  DEFINITIONS MSGPACK_NO_BOOST)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # At -Og it takes msgpack-c's own operator new and delete, of malloc and free, for a mismatch.
  target_compile_options(msgpack_reference_test PRIVATE -Wno-mismatched-new-delete)
endif()
tokend_test(record_test LIBS tokend_protocol LABELS unit)
tokend_test(rpc_test LIBS tokend_protocol LABELS unit)
tokend_test(params_decode_test LIBS tokend_protocol LABELS unit)
tokend_test(params_fields_test LIBS tokend_protocol LABELS unit)
tokend_test(params_values_test LIBS tokend_protocol LABELS unit)
tokend_test(params_encode_test LIBS tokend_protocol LABELS unit)
# GCC warns of fields that a designated initializer leaves to their defaults, which is its purpose.
target_compile_options(params_encode_test PRIVATE -Wno-missing-field-initializers)
