#include "server/store_log.h"

namespace tokend {

void StoreLog::OnLoadProgress(const LoadProgress& progress) {
  log_.Info("loading", {{"records", progress.records},
                        {"records_estimate", progress.records_estimate},
                        {"ms", progress.ms}});
}

void StoreLog::OnLoaded(const LoadProgress& progress, const std::string& error) {
  if (error.empty()) {
    log_.Info("loaded", {{"records", progress.records}, {"ms", progress.ms}});
  } else {
    log_.Error("load_failed", {{"error", error}, {"records", progress.records}});
  }
}

void StoreLog::OnReadOnly(const std::string& reason) {
  log_.Error("read_only", {{"reason", reason}});
}

void StoreLog::OnWritable() { log_.Info("writable", {}); }

void StoreLog::OnClockWentBack(uint64_t ms) {
  log_.Warning("clock_went_back", {{"ms", ms}, {"reading_back", "tokens that had expired"}});
}

}  // namespace tokend
