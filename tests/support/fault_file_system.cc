#include "tests/support/fault_file_system.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>
#include <utility>

namespace tokend::testing {
namespace {

using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

constexpr uint64_t kPageBytes = 4096;

std::string DirectoryOf(const std::string& path) {
  return std::filesystem::path(path).parent_path().lexically_normal().string();
}

std::optional<std::string> ContentOf(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  return std::string(std::istreambuf_iterator<char>(file), {});
}

void WriteAt(const std::string& path, uint64_t offset, const std::string& bytes) {
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(static_cast<std::streamoff>(offset));
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

}  // namespace

class FaultFileSystem::WritableFile : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  WritableFile(FaultFileSystem* system, std::string path, std::shared_ptr<File> state,
               std::unique_ptr<rocksdb::FSWritableFile> file)
      : FSWritableFileOwnerWrapper(std::move(file)),
        system_(system),
        path_(std::move(path)),
        state_(std::move(state)) {}

  IOStatus Append(const Slice& data, const IOOptions& options, IODebugContext* debug) override {
    return Written({}, data.size(), [&] { return target()->Append(data, options, debug); });
  }
  IOStatus Append(const Slice& data, const IOOptions& options,
                  const rocksdb::DataVerificationInfo& verification,
                  IODebugContext* debug) override {
    return Written({}, data.size(),
                   [&] { return target()->Append(data, options, verification, debug); });
  }
  IOStatus PositionedAppend(const Slice& data, uint64_t offset, const IOOptions& options,
                            IODebugContext* debug) override {
    return Written(offset, data.size(),
                   [&] { return target()->PositionedAppend(data, offset, options, debug); });
  }
  IOStatus PositionedAppend(const Slice& data, uint64_t offset, const IOOptions& options,
                            const rocksdb::DataVerificationInfo& verification,
                            IODebugContext* debug) override {
    return Written(offset, data.size(), [&] {
      return target()->PositionedAppend(data, offset, options, verification, debug);
    });
  }
  IOStatus Truncate(uint64_t size, const IOOptions& options, IODebugContext* debug) override {
    const auto power = system_->Begin();
    if (IOStatus status = system_->Check(Operation::kAppend, path_); !status.ok()) return status;
    const IOStatus status = target()->Truncate(size, options, debug);
    const std::lock_guard lock(system_->mutex_);
    if (status.ok()) state_->size = size;
    state_->synced = std::min(state_->synced, state_->size);
    return status;
  }
  IOStatus Sync(const IOOptions& /*options*/, IODebugContext* /*debug*/) override {
    return Synced();
  }
  IOStatus Fsync(const IOOptions& /*options*/, IODebugContext* /*debug*/) override {
    return Synced();
  }
  IOStatus RangeSync(uint64_t /*offset*/, uint64_t /*bytes*/, const IOOptions& /*options*/,
                     IODebugContext* /*debug*/) override {
    return IOStatus::OK();  // promises nothing
  }

 private:
  // Without an offset: at its end.
  template <typename Write>
  IOStatus Written(std::optional<uint64_t> offset, size_t bytes, Write write) {
    const auto power = system_->Begin();
    if (IOStatus status = system_->Check(Operation::kAppend, path_); !status.ok()) return status;
    IOStatus status = write();
    const std::lock_guard lock(system_->mutex_);
    if (!status.ok()) return status;
    const uint64_t at = offset.value_or(state_->size);
    state_->size = std::max(state_->size, at + bytes);
    state_->synced = std::min(state_->synced, at);
    system_->free_bytes_ -= bytes;
    return status;
  }
  IOStatus Synced() {
    if (const int64_t us = system_->sync_time_us_; us != 0) {
      std::this_thread::sleep_for(std::chrono::microseconds(us));
    }
    const auto power = system_->Begin();
    if (system_->unseen_) return IOStatus::OK();
    if (IOStatus status = system_->Check(Operation::kSync, path_); !status.ok()) return status;
    const std::lock_guard lock(system_->mutex_);
    state_->synced = state_->size;
    return IOStatus::OK();
  }

  FaultFileSystem* const system_;
  const std::string path_;
  const std::shared_ptr<File> state_;
};

class FaultFileSystem::SequentialFile : public rocksdb::FSSequentialFileOwnerWrapper {
 public:
  SequentialFile(FaultFileSystem* system, std::string path,
                 std::unique_ptr<rocksdb::FSSequentialFile> file)
      : FSSequentialFileOwnerWrapper(std::move(file)), system_(system), path_(std::move(path)) {}

  IOStatus Read(size_t bytes, const IOOptions& options, Slice* result, char* scratch,
                IODebugContext* debug) override {
    if (IOStatus status = system_->Check(Operation::kRead, path_); !status.ok()) return status;
    return FSSequentialFileOwnerWrapper::Read(bytes, options, result, scratch, debug);
  }

 private:
  FaultFileSystem* const system_;
  const std::string path_;
};

class FaultFileSystem::RandomAccessFile : public rocksdb::FSRandomAccessFileOwnerWrapper {
 public:
  RandomAccessFile(FaultFileSystem* system, std::string path,
                   std::unique_ptr<rocksdb::FSRandomAccessFile> file)
      : FSRandomAccessFileOwnerWrapper(std::move(file)), system_(system), path_(std::move(path)) {}

  IOStatus Read(uint64_t offset, size_t bytes, const IOOptions& options, Slice* result,
                char* scratch, IODebugContext* debug) const override {
    if (IOStatus status = system_->Check(Operation::kRead, path_); !status.ok()) return status;
    return FSRandomAccessFileOwnerWrapper::Read(offset, bytes, options, result, scratch, debug);
  }
  IOStatus MultiRead(rocksdb::FSReadRequest* requests, size_t count, const IOOptions& options,
                     IODebugContext* debug) override {
    if (IOStatus status = system_->Check(Operation::kRead, path_); !status.ok()) return status;
    return FSRandomAccessFileOwnerWrapper::MultiRead(requests, count, options, debug);
  }

 private:
  FaultFileSystem* const system_;
  const std::string path_;
};

class FaultFileSystem::Directory : public rocksdb::FSDirectoryWrapper {
 public:
  Directory(FaultFileSystem* system, std::string path,
            std::unique_ptr<rocksdb::FSDirectory> directory)
      : FSDirectoryWrapper(std::move(directory)), system_(system), path_(std::move(path)) {}

  IOStatus Fsync(const IOOptions& /*options*/, IODebugContext* /*debug*/) override {
    return Synced();
  }
  IOStatus FsyncWithDirOptions(const IOOptions& /*options*/, IODebugContext* /*debug*/,
                               const rocksdb::DirFsyncOptions& /*what*/) override {
    return Synced();
  }

 private:
  IOStatus Synced() {
    const auto power = system_->Begin();
    if (system_->unseen_) return IOStatus::OK();
    if (IOStatus status = system_->Check(Operation::kSync, path_); !status.ok()) return status;
    system_->NoteSynced(path_);
    return IOStatus::OK();
  }

  FaultFileSystem* const system_;
  const std::string path_;
};

void FaultFileSystem::Cut() {
  const std::unique_lock power(power_);
  cut_ = true;
}

void FaultFileSystem::CutUnseen() {
  const std::unique_lock power(power_);
  cut_ = unseen_ = true;
}

void FaultFileSystem::Lose(std::mt19937_64* random) {
  const std::unique_lock power(power_);
  const std::lock_guard lock(mutex_);
  for (auto& [directory, changes] : changes_) {
    // The last change first, so that what is undone is what there was.
    for (auto change = changes.rbegin(); change != changes.rend(); ++change) {
      if (change->renamed_from.empty()) {
        std::filesystem::remove(change->made);
      } else if (std::filesystem::exists(change->made)) {
        std::filesystem::rename(change->made, change->renamed_from);
        if (auto moved = files_.extract(change->made); !moved.empty()) {
          moved.key() = change->renamed_from;
          files_.insert(std::move(moved));
        }
      }
      if (change->replaced) {
        std::ofstream(change->made, std::ios::binary) << *change->replaced;
      }
    }
  }
  changes_.clear();
  for (const auto& [path, file] : files_) {
    if (!std::filesystem::exists(path) || file->size == file->synced) continue;
    const uint64_t unsynced = file->size - file->synced;
    const uint64_t kept = file->synced + (*random)() % (unsynced + 1);
    std::filesystem::resize_file(path, kept);
    // Pages reach the disk in any order.
    for (uint64_t at = file->synced; at < kept;) {
      const uint64_t end = std::min(kept, (at / kPageBytes + 1) * kPageBytes);
      if ((*random)() % 4 == 0) WriteAt(path, at, std::string(end - at, '\0'));
      at = end;
    }
  }
  files_.clear();
  cut_ = unseen_ = false;
}

void FaultFileSystem::Keep() {
  const std::unique_lock power(power_);
  cut_ = unseen_ = false;
}

void FaultFileSystem::Fail(Operation operation, const IOStatus& status, std::string in,
                           uint64_t spared) {
  const std::lock_guard lock(mutex_);
  faults_.push_back({operation, status, std::move(in), spared});
}

void FaultFileSystem::Heal() {
  const std::lock_guard lock(mutex_);
  faults_.clear();
  free_bytes_ = uint64_t{1} << 40;
}

IOStatus FaultFileSystem::GetFreeSpace(const std::string& /*path*/, const IOOptions& /*options*/,
                                       uint64_t* bytes, IODebugContext* /*debug*/) {
  *bytes = free_bytes_;
  return IOStatus::OK();
}

IOStatus FaultFileSystem::Check(Operation operation, std::string_view path) {
  if (cut_ && operation != Operation::kRead) return IOStatus::IOError("the power is off");
  const std::lock_guard lock(mutex_);
  for (Fault& fault : faults_) {
    if (fault.operation != operation || path.find(fault.in) == std::string_view::npos) continue;
    if (fault.spared > 0) {
      --fault.spared;
      continue;
    }
    ++failures_;
    return fault.status;
  }
  return IOStatus::OK();
}

void FaultFileSystem::NoteMade(const std::string& path, std::optional<std::string> replaced,
                               const std::string& renamed_from) {
  const std::lock_guard lock(mutex_);
  changes_[DirectoryOf(path)].push_back({path, renamed_from, std::move(replaced)});
}

void FaultFileSystem::NoteSynced(const std::string& directory) {
  const std::lock_guard lock(mutex_);
  changes_.erase(std::filesystem::path(directory + "/").parent_path().lexically_normal().string());
}

IOStatus FaultFileSystem::NewWritableFile(const std::string& path,
                                          const rocksdb::FileOptions& options,
                                          std::unique_ptr<rocksdb::FSWritableFile>* file,
                                          IODebugContext* debug) {
  const auto power = Begin();
  if (IOStatus status = Check(Operation::kCreate, path); !status.ok()) return status;
  if (refuses_direct_ && options.use_direct_writes) {
    ++direct_refusals_;
    return IOStatus::InvalidArgument("no direct writes");
  }
  std::optional<std::string> replaced = ContentOf(path);
  IOStatus status = FileSystemWrapper::NewWritableFile(path, options, file, debug);
  if (!status.ok()) return status;
  NoteMade(path, std::move(replaced));
  auto state = std::make_shared<File>();
  const std::lock_guard lock(mutex_);
  files_[path] = state;
  *file = std::make_unique<WritableFile>(this, path, std::move(state), std::move(*file));
  return status;
}

IOStatus FaultFileSystem::ReopenWritableFile(const std::string& path,
                                             const rocksdb::FileOptions& options,
                                             std::unique_ptr<rocksdb::FSWritableFile>* file,
                                             IODebugContext* debug) {
  const auto power = Begin();
  if (IOStatus status = Check(Operation::kCreate, path); !status.ok()) return status;
  const bool is_new = !std::filesystem::exists(path);
  const uint64_t size = is_new ? 0 : std::filesystem::file_size(path);
  IOStatus status = FileSystemWrapper::ReopenWritableFile(path, options, file, debug);
  if (!status.ok()) return status;
  if (is_new) NoteMade(path, std::nullopt);
  const std::lock_guard lock(mutex_);
  std::shared_ptr<File>& state = files_[path];
  if (state == nullptr) state = std::make_shared<File>(File{size, size});
  *file = std::make_unique<WritableFile>(this, path, state, std::move(*file));
  return status;
}

IOStatus FaultFileSystem::NewSequentialFile(const std::string& path,
                                            const rocksdb::FileOptions& options,
                                            std::unique_ptr<rocksdb::FSSequentialFile>* file,
                                            IODebugContext* debug) {
  IOStatus status = FileSystemWrapper::NewSequentialFile(path, options, file, debug);
  if (status.ok()) *file = std::make_unique<SequentialFile>(this, path, std::move(*file));
  return status;
}

IOStatus FaultFileSystem::NewRandomAccessFile(const std::string& path,
                                              const rocksdb::FileOptions& options,
                                              std::unique_ptr<rocksdb::FSRandomAccessFile>* file,
                                              IODebugContext* debug) {
  IOStatus status = FileSystemWrapper::NewRandomAccessFile(path, options, file, debug);
  if (status.ok()) *file = std::make_unique<RandomAccessFile>(this, path, std::move(*file));
  return status;
}

IOStatus FaultFileSystem::NewDirectory(const std::string& path, const IOOptions& options,
                                       std::unique_ptr<rocksdb::FSDirectory>* directory,
                                       IODebugContext* debug) {
  IOStatus status = FileSystemWrapper::NewDirectory(path, options, directory, debug);
  if (status.ok()) *directory = std::make_unique<Directory>(this, path, std::move(*directory));
  return status;
}

IOStatus FaultFileSystem::DeleteFile(const std::string& path, const IOOptions& options,
                                     IODebugContext* debug) {
  const auto power = Begin();
  if (IOStatus status = Check(Operation::kCreate, path); !status.ok()) return status;
  IOStatus status = FileSystemWrapper::DeleteFile(path, options, debug);
  const std::lock_guard lock(mutex_);
  if (status.ok()) files_.erase(path);
  return status;
}

IOStatus FaultFileSystem::RenameFile(const std::string& from, const std::string& to,
                                     const IOOptions& options, IODebugContext* debug) {
  const auto power = Begin();
  if (IOStatus status = Check(Operation::kCreate, to); !status.ok()) return status;
  std::optional<std::string> replaced = ContentOf(to);
  IOStatus status = FileSystemWrapper::RenameFile(from, to, options, debug);
  if (!status.ok()) return status;
  NoteMade(to, std::move(replaced), from);
  const std::lock_guard lock(mutex_);
  files_.erase(to);
  if (auto moved = files_.extract(from); !moved.empty()) {
    moved.key() = to;
    files_.insert(std::move(moved));
  }
  return status;
}

IOStatus FaultFileSystem::LinkFile(const std::string& from, const std::string& to,
                                   const IOOptions& options, IODebugContext* debug) {
  const auto power = Begin();
  if (IOStatus status = Check(Operation::kCreate, to); !status.ok()) return status;
  IOStatus status = FileSystemWrapper::LinkFile(from, to, options, debug);
  if (!status.ok()) return status;
  NoteMade(to, std::nullopt);
  const std::lock_guard lock(mutex_);
  if (const auto linked = files_.find(from); linked != files_.end()) files_[to] = linked->second;
  return status;
}

}  // namespace tokend::testing
