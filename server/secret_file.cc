#include "server/secret_file.h"

#include <errno.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "protocol/digest.h"
#include "protocol/sealer.h"
#include "server/uv_handle.h"

namespace tokend {
namespace {

Status Wrong(const std::string& what) { return Status(ErrorCode::kBadParams, what); }

std::string AskForMode600(const std::string& which) {
  return fmt::format("{} may be read by others than its owner; chmod 600 it", which);
}

Status ReadSealKeys(Config* config, std::vector<std::string>* warnings) {
  constexpr std::string_view kConsequence =
      "nothing is revealed, and namespaces with seal = true take no new tokens";
  const std::string& path = config->seal_key_file;
  if (path.empty()) {
    if (std::ranges::any_of(config->namespaces, &NamespaceConfig::seal)) {
      warnings->push_back(fmt::format("seal_key_file: is off: {}", kConsequence));
    }
    return Status::Ok();
  }
  std::error_code error;
  if (!std::filesystem::exists(path, error) && !error) {
    warnings->push_back(fmt::format("seal_key_file: {}: is not there: {}", path, kConsequence));
    return Status::Ok();
  }
  Secret text;
  bool others_may_read = false;
  Status status = ReadSecretFile(path, &text, &others_may_read);
  if (status.ok()) status = Sealer::Make(text, &config->sealer);
  if (!status.ok()) return Wrong(fmt::format("seal_key_file: {}: {}", path, status.message()));
  if (others_may_read) warnings->push_back(AskForMode600("seal_key_file: " + path));
  return Status::Ok();
}

}  // namespace

Status ReadSecretFile(const std::string& path, Secret* secret, bool* others_may_read) {
  // A pipe that nobody writes to would hold the start up for ever.
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat info;
  if (fd.get() < 0 || fstat(fd.get(), &info) != 0) {
    return Wrong(fmt::format("cannot be read: {}", std::strerror(errno)));
  }
  if (!S_ISREG(info.st_mode)) return Wrong("must be a regular file");
  *others_may_read = (info.st_mode & (S_IRGRP | S_IROTH)) != 0;
  std::string& bytes = *secret->mutable_bytes();
  // One byte more for the newline, and one to see that there is more.
  bytes.resize(kSecretBytesMax + 2);
  size_t size = 0;
  while (size < bytes.size()) {
    const ssize_t got = read(fd.get(), bytes.data() + size, bytes.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Wrong(fmt::format("cannot be read: {}", std::strerror(errno)));
    if (got == 0) break;
    size += static_cast<size_t>(got);
  }
  bytes.resize(size);
  if (bytes.ends_with('\n')) bytes.pop_back();
  if (bytes.empty()) return Wrong("is empty");
  if (bytes.size() > kSecretBytesMax) {
    return Wrong(fmt::format("has more than {} bytes", kSecretBytesMax));
  }
  return Status::Ok();
}

Status ReadSecrets(Config* config, std::vector<std::string>* warnings) {
  for (NamespaceConfig& space : config->namespaces) {
    if (space.secret_file.empty()) continue;
    const std::string which =
        fmt::format("secret_file of namespace {}: {}", QuoteName(space.name), space.secret_file);
    bool others_may_read = false;
    const Status status = ReadSecretFile(space.secret_file, &space.secret, &others_may_read);
    if (!status.ok()) return Wrong(fmt::format("{}: {}", which, status.message()));
    if (others_may_read) warnings->push_back(AskForMode600(which));
  }
  return ReadSealKeys(config, warnings);
}

}  // namespace tokend
