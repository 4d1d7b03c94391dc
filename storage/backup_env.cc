#include "storage/backup_env.h"

#include <algorithm>
#include <memory>
#include <utility>

namespace tokend {
namespace {

// Of a system call: some 5 us.
constexpr size_t kWriteBytes = 16 << 10;
constexpr uint64_t kWritebackBytes = 128 << 10;

class PiecewiseFile : public rocksdb::WritableFileWrapper {
 public:
  explicit PiecewiseFile(std::unique_ptr<rocksdb::WritableFile> file)
      : WritableFileWrapper(file.get()), file_(std::move(file)) {}

  rocksdb::Status Append(const rocksdb::Slice& data) override {
    rocksdb::Slice rest = data;
    while (!rest.empty()) {
      const size_t size = std::min(rest.size(), kWriteBytes);
      rocksdb::Status status = file_->Append({rest.data(), size});
      if (!status.ok()) return status;
      rest.remove_prefix(size);
      written_ += size;
      if (written_ - begun_ < kWritebackBytes) continue;
      status = file_->RangeSync(begun_, written_ - begun_);
      if (!status.ok()) return status;
      begun_ = written_;
    }
    return rocksdb::Status::OK();
  }
  rocksdb::Status Append(const rocksdb::Slice& data,
                         const rocksdb::DataVerificationInfo& /*checksum*/) override {
    return Append(data);
  }

 private:
  const std::unique_ptr<rocksdb::WritableFile> file_;
  uint64_t written_ = 0, begun_ = 0;  // bytes, and those on their way to the disk
};

class PiecewiseEnv : public rocksdb::EnvWrapper {
 public:
  PiecewiseEnv() : EnvWrapper(rocksdb::Env::Default()) {}

  const char* Name() const override { return "tokend.backup"; }
  rocksdb::Status NewWritableFile(const std::string& path,
                                  std::unique_ptr<rocksdb::WritableFile>* file,
                                  const rocksdb::EnvOptions& options) override {
    const rocksdb::Status status = EnvWrapper::NewWritableFile(path, file, options);
    if (status.ok()) *file = std::make_unique<PiecewiseFile>(std::move(*file));
    return status;
  }
};

}  // namespace

rocksdb::Env* BackupEnv() {
  static PiecewiseEnv env;
  return &env;
}

}  // namespace tokend
