// RocksDB's environment with a disk that stops taking writes when it is told to.
#pragma once

#include <rocksdb/env.h>

#include <atomic>
#include <memory>
#include <string>

namespace tokend::testing {

class SyncFaultEnv : public rocksdb::EnvWrapper {
 public:
  SyncFaultEnv() : EnvWrapper(rocksdb::Env::Default()) {}

  const char* Name() const override { return "SyncFaultEnv"; }
  // From now on every fsync fails.
  void FailSyncs() { failing_ = true; }

  rocksdb::Status NewWritableFile(const std::string& name,
                                  std::unique_ptr<rocksdb::WritableFile>* file,
                                  const rocksdb::EnvOptions& options) override {
    const rocksdb::Status status = EnvWrapper::NewWritableFile(name, file, options);
    if (status.ok()) *file = std::make_unique<File>(std::move(*file), &failing_);
    return status;
  }

 private:
  class File : public rocksdb::WritableFileWrapper {
   public:
    File(std::unique_ptr<rocksdb::WritableFile> file, const std::atomic<bool>* failing)
        : WritableFileWrapper(file.get()), file_(std::move(file)), failing_(failing) {}
    rocksdb::Status Sync() override { return *failing_ ? Failed() : file_->Sync(); }
    rocksdb::Status Fsync() override { return *failing_ ? Failed() : file_->Fsync(); }

   private:
    static rocksdb::Status Failed() { return rocksdb::Status::IOError("the disk is gone"); }

    std::unique_ptr<rocksdb::WritableFile> file_;
    const std::atomic<bool>* failing_;
  };

  std::atomic<bool> failing_{false};
};

}  // namespace tokend::testing
