# The in-memory half of storage/. A room of its own here, so that its tests link neither RocksDB nor
# the rest of storage/.
find_package(rapidcheck REQUIRED)

tokend_test(mapped_memory_test LIBS tokend_table)
tokend_test(populator_test LIBS tokend_table)
tokend_test(thread_role_test LIBS tokend_table)
if(TOKEND_CRASH_POINTS)
  tokend_test(crash_point_test LIBS tokend_table)
endif()
tokend_test(ttl_wheel_test LIBS tokend_table)
tokend_test(hash_index_test LIBS tokend_table)
tokend_test(epoch_test LIBS tokend_table)
tokend_test(interner_test LIBS tokend_table)
tokend_test(token_table_test LIBS tokend_table)
tokend_test(token_table_reclaim_test LIBS tokend_table)
tokend_test(token_table_model_test LIBS tokend_table rapidcheck)
tokend_test(token_table_concurrency_test LIBS tokend_table)

# The table built with race points, for the test that steps in there.
get_target_property(tokend_race_sources tokend_table SOURCES)
list(TRANSFORM tokend_race_sources PREPEND ${CMAKE_SOURCE_DIR}/storage/)
add_library(tokend_table_races STATIC EXCLUDE_FROM_ALL ${tokend_race_sources})
target_link_libraries(tokend_table_races PUBLIC tokend_flags tokend_protocol Threads::Threads)
target_compile_definitions(tokend_table_races PUBLIC TOKEND_RACE_POINTS)
tokend_test(token_table_race_test LIBS tokend_table_races)
