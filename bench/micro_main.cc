#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>

#include "bench/micro.h"

int main(int argc, char** argv) {
  size_t tokens_max = 1000000;
  constexpr char kTokens[] = "--tokens=";
  for (int i = 1; i < argc; ++i) {
    if (std::strncmp(argv[i], kTokens, sizeof kTokens - 1) != 0) continue;
    tokens_max = std::strtoull(argv[i] + sizeof kTokens - 1, nullptr, 10);
    for (int j = i; j < argc; ++j) argv[j] = argv[j + 1];  // argv[argc] is null
    --argc;
    break;
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
#ifndef NDEBUG
  std::fprintf(stderr, "WARNING: assertions are on; these are no figures to compare\n");
#endif
  try {
    tokend::bench::RegisterBenchmarks(tokens_max);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", argv[0], error.what());
    return 1;
  }
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
