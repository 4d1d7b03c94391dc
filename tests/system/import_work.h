// Imports, one after the other, with revocations between their rows. After a crash: what an import
// brought may be there in part until its end was answered, and is all there from then on; what was
// revoked stays so; and the same import again gives the right result.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "client/client.h"
#include "tests/system/failures.h"
#include "tests/system/ledger.h"

namespace tokend::testing {

class ImportWork {
 public:
  // For so many calls of Run. `failures` outlives it.
  ImportWork(uint64_t runs, uint64_t seed, uint64_t now_ms, Failures* failures);

  // Until the server is gone or `stop`, or there have been kImportsPerRun: more would leave
  // none to the runs after it.
  void Run(client::Client client, const std::atomic<bool>& stop);
  // After a restart: every row; then what was cut short once more, and all of it is there. Throws
  // std::runtime_error where the server does not answer.
  void CheckAll(client::Client* client);

 private:
  static constexpr uint64_t kImportsPerRun = 20;
  static constexpr uint64_t kBatches = 3;
  static constexpr uint64_t kBatchRows = 100;
  static constexpr uint64_t kRows = kBatches * kBatchRows;

  // False once the server is gone.
  bool Import(client::Client* client, uint64_t import, bool with_revokes);
  bool RevokeARow(client::Client* client, uint64_t row);
  // Totals of an import that was ended.
  void CheckTotals(uint64_t import, const client::ImportTotals& totals);
  bool IsAnswered(const client::Error& error, const std::string& what);
  void CheckRow(uint64_t row, const client::Verdict& verdict);

  std::string Token(uint64_t row) const;
  std::string Owner(uint64_t row) const { return "import-owner-" + std::to_string(row % 7); }
  uint64_t ExpiresAtMs(uint64_t row) const { return expires_base_ms_ + row; }

  const uint64_t seed_;
  const uint64_t expires_base_ms_;
  Failures& failures_;
  Ledger ledger_;       // by row; what is not absent is live or revoked
  uint64_t begun_ = 0;  // imports
  uint64_t ended_ = 0;
};

}  // namespace tokend::testing
