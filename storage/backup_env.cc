#include "storage/backup_env.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

namespace tokend {
namespace {

// Files get their room in such steps, not with each piece.
constexpr size_t kAllocatedBytes = 4 << 20;

class PiecewiseFile : public rocksdb::WritableFileWrapper {
 public:
  explicit PiecewiseFile(std::unique_ptr<rocksdb::WritableFile> file)
      : WritableFileWrapper(file.get()), file_(std::move(file)) {
    file_->SetPreallocationBlockSize(kAllocatedBytes);
  }

  // What RocksDB calls where it writes past the cache.
  rocksdb::Status PositionedAppend(const rocksdb::Slice& data, uint64_t offset) override {
    for (size_t at = 0; at < data.size(); at += kBackupPieceBytes) {
      const rocksdb::Slice piece(data.data() + at, std::min(kBackupPieceBytes, data.size() - at));
      rocksdb::Status status = file_->PositionedAppend(piece, offset + at);
      if (!status.ok()) return status;
    }
    return rocksdb::Status::OK();
  }
  rocksdb::Status PositionedAppend(const rocksdb::Slice& data, uint64_t offset,
                                   const rocksdb::DataVerificationInfo& /*checksum*/) override {
    return PositionedAppend(data, offset);
  }

 private:
  const std::unique_ptr<rocksdb::WritableFile> file_;
};

class PiecewiseEnv : public rocksdb::EnvWrapper {
 public:
  PiecewiseEnv() : EnvWrapper(rocksdb::Env::Default()) {}

  const char* Name() const override { return "tokend.backup"; }
  rocksdb::Status NewWritableFile(const std::string& path,
                                  std::unique_ptr<rocksdb::WritableFile>* file,
                                  const rocksdb::EnvOptions& options) override {
    rocksdb::EnvOptions direct = options;
    direct.use_direct_writes = true;
    // Some file systems, such as tmpfs, have nothing but the cache.
    if (!IsCopy(path) || !EnvWrapper::NewWritableFile(path, file, direct).ok()) {
      return EnvWrapper::NewWritableFile(path, file, options);
    }
    *file = std::make_unique<PiecewiseFile>(std::move(*file));
    return rocksdb::Status::OK();
  }

 private:
  // Of a file of the database. A backup's list of files is written as it comes, in lines.
  static bool IsCopy(const std::string& path) {
    return path.find("/shared_checksum/") != std::string::npos ||
           path.find("/private/") != std::string::npos;
  }
};

}  // namespace

rocksdb::Env* BackupEnv() {
  static PiecewiseEnv env;
  return &env;
}

}  // namespace tokend
