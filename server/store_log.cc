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

void StoreLog::OnImportFailed(const std::string& reason) {
  log_.Error("import_failed", {{"reason", reason}, {"do", "begin it again once that is mended"}});
}

void StoreLog::OnAuditFailed(const std::string& reason) {
  log_.Error("audit_failed", {{"reason", reason}, {"lines", "wait beside the data"}});
}

void StoreLog::OnAuditWritten() { log_.Info("audit_written", {}); }

void StoreLog::OnAuditDoubtful(const std::string& path, const std::string& what) {
  log_.Warning("audit_doubtful", {{"file", path}, {"what", what}});
}

void StoreLog::OnWritable() { log_.Info("writable", {}); }

void StoreLog::OnClockJumped(int64_t ms, bool while_closed) {
  if (ms < 0) {
    log_.Warning("clock_jumped_back", {{"ms", -ms}, {"while_stopped", while_closed}});
    return;
  }
  constexpr std::string_view kWaits =
      "waits until that has lasted for clock_gap_accept_ms, or for: tokenctl clock accept";
  if (while_closed) {
    log_.Info("clock_ahead_of_last_run", {{"ms", ms}, {"disk_reclaiming", kWaits}});
  } else {
    log_.Warning("clock_jumped_ahead", {{"ms", ms}, {"disk_reclaiming", kWaits}});
  }
}

void StoreLog::OnClockGapAccepted(uint64_t ms) {
  log_.Info("clock_gap_accepted", {{"ms", ms}, {"disk_reclaiming", "follows the clock again"}});
}

void StoreLog::OnClockWentBack(uint64_t ms) {
  log_.Warning("clock_went_back", {{"ms", ms}, {"reading_back", "tokens that had expired"}});
}

}  // namespace tokend
