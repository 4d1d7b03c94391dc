tokend_test(bench_tokens_test LIBS tokend_bench_lib)
tokend_test(bench_histogram_test LIBS tokend_bench_lib)
tokend_test(bench_interval_test LIBS tokend_bench_lib)
tokend_test(bench_report_test LIBS tokend_bench_lib)
tokend_test(bench_zipf_test LIBS tokend_bench_lib)
tokend_test(bench_workload_test LIBS tokend_bench_lib)
tokend_test(bench_process_stats_test LIBS tokend_bench_lib Threads::Threads)
tokend_test(bench_driver_test LIBS tokend_bench_lib)
tokend_test(bench_generator_test LIBS tokend_bench_lib Threads::Threads)

# The built programs, as they are.
tokend_test(bench_program_test LIBS tokend_bench_lib LABELS integration
  DEFINITIONS TOKEND_PROGRAM="$<TARGET_FILE:tokend>"
    TOKEND_BENCH_PROGRAM="$<TARGET_FILE:tokend-bench>")
target_sources(bench_program_test PRIVATE system/server_process.cc)
add_dependencies(bench_program_test tokend tokend-bench)

# The micro-benchmarks with a few tokens, for their answers and not their times.
foreach(name protocol table wheel commit import)
  add_test(NAME micro_${name}
    COMMAND micro_${name} --tokens=1000 --benchmark_min_time=0.001)
  set_tests_properties(micro_${name} PROPERTIES TIMEOUT 120 LABELS bench
    ENVIRONMENT "${TOKEND_TEST_ENVIRONMENT}")
endforeach()

add_subdirectory(system)
