#include "bench/process_stats.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <system_error>

namespace tokend::bench {

std::optional<uint64_t> CpuTimeNs(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  const std::string text(std::istreambuf_iterator<char>(file), {});
  // The name, in parentheses, may hold spaces: the numbers start behind the last parenthesis with
  // field 3; utime and stime are 14 and 15.
  const size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream fields(text.substr(name_end + 1));
  std::string skipped;
  for (int field = 3; field < 14; ++field) fields >> skipped;
  uint64_t utime = 0;
  uint64_t stime = 0;
  if (!(fields >> utime >> stime)) return std::nullopt;
  const auto ticks_per_second = static_cast<uint64_t>(sysconf(_SC_CLK_TCK));
  return (utime + stime) * (1000000000 / ticks_per_second);
}

std::map<std::string, uint64_t> ThreadCpuTimesNs(pid_t pid) {
  std::map<std::string, uint64_t> times;
  std::error_code error;  // the process, or a thread, may end at any moment
  const std::filesystem::path tasks = "/proc/" + std::to_string(pid) + "/task";
  for (std::filesystem::directory_iterator task(tasks, error), end; task != end;
       task.increment(error)) {
    std::ifstream comm(task->path() / "comm");
    std::ifstream schedstat(task->path() / "schedstat");
    std::string name;
    uint64_t cpu_ns = 0;
    if (std::getline(comm, name) && schedstat >> cpu_ns) times[name] += cpu_ns;
  }
  return times;
}

std::optional<uint64_t> ResidentBytes(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/statm");
  uint64_t size_pages = 0;
  uint64_t resident_pages = 0;
  if (!(file >> size_pages >> resident_pages)) return std::nullopt;
  return resident_pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace tokend::bench
