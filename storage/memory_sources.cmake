# The in-memory half of storage/: the TokenTable and its parts. A target of its own, so that its
# tests need no RocksDB.
set(TOKEND_MEMORY_SOURCES
  clock.cc
  crash_point.cc
  epoch.cc
  hash_index.cc
  interner.cc
  mapped_memory.cc
  populator.cc
  thread_role.cc
  two_threads.cc
  token_shard.cc
  token_table.cc
  ttl_wheel.cc)

pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)

add_library(tokend_table STATIC ${TOKEND_MEMORY_SOURCES})
target_link_libraries(tokend_table
  PUBLIC tokend_flags tokend_protocol PkgConfig::XXHASH Threads::Threads)
# Locks are annotated; clang checks them.
target_compile_options(tokend_table PRIVATE $<$<CXX_COMPILER_ID:Clang>:-Wthread-safety>)
