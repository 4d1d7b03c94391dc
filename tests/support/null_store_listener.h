// A listener that hears nothing; tests override what they want to hear.
#pragma once

#include <string>

#include "storage/store_listener.h"

namespace tokend {

class NullStoreListener : public StoreListener {
 public:
  void OnLoadProgress(const LoadProgress& /*progress*/) override {}
  void OnLoaded(const LoadProgress& /*progress*/, const std::string& /*error*/) override {}
  void OnReadOnly(const std::string& /*reason*/) override {}
  void OnImportFailed(const std::string& /*reason*/) override {}
  void OnAuditFailed(const std::string& /*reason*/) override {}
  void OnAuditWritten() override {}
  void OnAuditDoubtful(const std::string& /*path*/, const std::string& /*what*/) override {}
  void OnWritable() override {}
  void OnClockJumped(int64_t /*ms*/, bool /*while_closed*/) override {}
  void OnClockGapAccepted(uint64_t /*ms*/) override {}
  void OnClockWentBack(uint64_t /*ms*/) override {}
};

}  // namespace tokend
