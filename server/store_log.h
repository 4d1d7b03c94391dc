// What happens inside the store, as log lines.
#pragma once

#include "server/logging.h"
#include "storage/store_listener.h"

namespace tokend {

class StoreLog : public StoreListener {
 public:
  explicit StoreLog(Logger& log) : log_(log) {}

  void OnLoadProgress(const LoadProgress& progress) override;
  void OnLoaded(const LoadProgress& progress, const std::string& error) override;
  void OnReadOnly(const std::string& reason) override;
  void OnImportFailed(const std::string& reason) override;
  void OnAuditFailed(const std::string& reason) override;
  void OnAuditWritten() override;
  void OnAuditDoubtful(const std::string& path, const std::string& what) override;
  void OnWritable() override;
  void OnClockJumped(int64_t ms, bool while_closed) override;
  void OnClockGapAccepted(uint64_t ms) override;
  void OnClockWentBack(uint64_t ms) override;

 private:
  Logger& log_;
};

}  // namespace tokend
