#include "storage/crash_point_rocksdb.h"

#if defined(TOKEND_CRASH_POINTS)

#include <rocksdb/env.h>
#include <rocksdb/listener.h>

#include <memory>
#include <string>
#include <string_view>

#include "storage/crash_point.h"

namespace tokend {
namespace {

class CrashListener : public rocksdb::EventListener {
 public:
  bool ShouldBeNotifiedOnFileIO() override { return true; }
  void OnFileWriteFinish(const rocksdb::FileOperationInfo& info) override {
    if (IsLog(info.path)) TOKEND_CRASH_POINT("log.appended");
    if (IsManifest(info.path)) TOKEND_CRASH_POINT("manifest.appended");
  }
  void OnFileSyncFinish(const rocksdb::FileOperationInfo& info) override {
    if (IsLog(info.path)) TOKEND_CRASH_POINT("log.synced");
  }
  void OnFlushBegin(rocksdb::DB* /*db*/, const rocksdb::FlushJobInfo& /*info*/) override {
    TOKEND_CRASH_POINT("flush.begun");
  }
  void OnFlushCompleted(rocksdb::DB* /*db*/, const rocksdb::FlushJobInfo& /*info*/) override {
    TOKEND_CRASH_POINT("flush.over");
  }
  void OnCompactionCompleted(rocksdb::DB* /*db*/,
                             const rocksdb::CompactionJobInfo& /*info*/) override {
    TOKEND_CRASH_POINT("compaction.over");
  }

 private:
  static bool IsLog(const std::string& path) { return path.ends_with(".log"); }
  static bool IsManifest(const std::string& path) {
    return path.find("/MANIFEST-") != std::string::npos;
  }
};

class BackupCrashEnv : public rocksdb::EnvWrapper {
 public:
  explicit BackupCrashEnv(rocksdb::Env* env) : EnvWrapper(env) {}

  const char* Name() const override { return "tokend.backup-crash"; }
  rocksdb::Status NewWritableFile(const std::string& path,
                                  std::unique_ptr<rocksdb::WritableFile>* file,
                                  const rocksdb::EnvOptions& options) override {
    const rocksdb::Status status = EnvWrapper::NewWritableFile(path, file, options);
    TOKEND_CRASH_POINT("backup.file");
    return status;
  }
  rocksdb::Status RenameFile(const std::string& from, const std::string& to) override {
    TOKEND_CRASH_POINT("backup.renaming");
    const rocksdb::Status status = EnvWrapper::RenameFile(from, to);
    TOKEND_CRASH_POINT("backup.renamed");
    return status;
  }
  rocksdb::Status DeleteFile(const std::string& path) override {
    TOKEND_CRASH_POINT("backup.deleting");
    return EnvWrapper::DeleteFile(path);
  }
};

}  // namespace

void AddCrashPoints(rocksdb::DBOptions* options) {
  options->listeners.push_back(std::make_shared<CrashListener>());
}

void AddCrashPoints(rocksdb::BackupEngineOptions* options) {
  static BackupCrashEnv env(options->backup_env);
  options->backup_env = &env;
}

}  // namespace tokend

#endif
