// Where each crash point (storage/crash_point.h) is passed, and how often for certain: what a crash
// test has to do to have the server killed there.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include "storage/crash_point.h"
#include "storage/loader.h"

namespace tokend::testing {

enum class CrashScene : uint8_t {
  kBusy,       // writes, tokens that come and go, imports and backups at once
  kOpening,    // a start with what is there
  kFresh,      // the first start, in an empty directory
  kStopping,   // a clean stop, after all of kBusy
  kRestoring,  // --restore-backup
  kRepairing,  // --repair
};

struct CrashCase {
  std::string_view point;
  CrashScene scene;
  uint64_t passages;  // of so many each is passed
};

inline constexpr auto kCrashCases = std::to_array<CrashCase>({
    {"open.created", CrashScene::kFresh, 1},
    {"manifest.appended", CrashScene::kFresh, 4},
    {"log.synced", CrashScene::kFresh, 2},
    {"commit.written", CrashScene::kFresh, 1},
    {"load.range", CrashScene::kFresh, Loader::kRangesPerNamespace},

    {"open.recovered", CrashScene::kOpening, 1},
    {"manifest.appended", CrashScene::kOpening, 2},
    {"load.row", CrashScene::kOpening, 2000},
    {"load.range", CrashScene::kOpening, Loader::kRangesPerNamespace},
    {"load.done", CrashScene::kOpening, 1},
    {"growth.splitting", CrashScene::kOpening, 100},

    {"revoke.denied", CrashScene::kBusy, 30},
    {"commit.planned", CrashScene::kBusy, 60},
    {"log.appended", CrashScene::kBusy, 60},
    {"log.synced", CrashScene::kBusy, 60},
    {"commit.written", CrashScene::kBusy, 60},
    {"commit.applying", CrashScene::kBusy, 3000},
    {"commit.applied", CrashScene::kBusy, 60},
    {"commit.answered", CrashScene::kBusy, 60},
    {"sweep.written", CrashScene::kBusy, 4},
    {"sweep.over", CrashScene::kBusy, 4},
    {"purge.written", CrashScene::kBusy, 4},
    {"usage.taken", CrashScene::kBusy, 4},
    {"usage.written", CrashScene::kBusy, 4},
    {"reclaim.dropped", CrashScene::kBusy, 6},
    {"growth.splitting", CrashScene::kBusy, 100},
    {"growth.overflow", CrashScene::kBusy, 20},
    {"flush.begun", CrashScene::kBusy, 3},
    {"flush.over", CrashScene::kBusy, 3},
    {"compaction.over", CrashScene::kBusy, 1},
    {"manifest.appended", CrashScene::kBusy, 3},
    {"audit.appended", CrashScene::kBusy, 6},
    {"audit.synced", CrashScene::kBusy, 6},
    {"audit.dropped", CrashScene::kBusy, 6},
    {"backup.begun", CrashScene::kBusy, 3},
    {"backup.file", CrashScene::kBusy, 16},
    {"backup.renaming", CrashScene::kBusy, 8},
    {"backup.renamed", CrashScene::kBusy, 8},
    {"backup.copied", CrashScene::kBusy, 4},
    {"backup.deleting", CrashScene::kBusy, 6},
    {"backup.over", CrashScene::kBusy, 4},
    {"import.begun", CrashScene::kBusy, 3},
    {"import.row", CrashScene::kBusy, 900},
    {"import.file", CrashScene::kBusy, 8},
    {"import.written", CrashScene::kBusy, 3},
    {"import.taken", CrashScene::kBusy, 3},
    {"import.putting", CrashScene::kBusy, 3},
    {"import.ended", CrashScene::kBusy, 3},

    {"stop.drained", CrashScene::kStopping, 1},
    {"usage.taken", CrashScene::kStopping, 1},
    {"clock.written", CrashScene::kStopping, 1},
    {"audit.synced", CrashScene::kStopping, 1},

    {"restore.renaming", CrashScene::kRestoring, 1},
    {"repair.copied", CrashScene::kRepairing, 1},
    {"repair.renamed", CrashScene::kRepairing, 1},
});

constexpr bool HasCase(std::string_view point) {
  for (const CrashCase& crash_case : kCrashCases) {
    if (crash_case.point == point) return true;
  }
  return false;
}
// A point without a case would never be tried, a case without a point never end.
static_assert(std::all_of(kCrashPoints.begin(), kCrashPoints.end(), HasCase));
static_assert(std::all_of(kCrashCases.begin(), kCrashCases.end(), [](const CrashCase& crash_case) {
  return CrashPointNumber(crash_case.point) < kCrashPoints.size();
}));

}  // namespace tokend::testing
