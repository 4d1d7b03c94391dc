// backup: copies the database aside while the server goes on.
#include <memory>

#include "protocol/params.h"
#include "server/connection.h"
#include "server/dispatcher.h"
#include "server/query_job.h"

namespace tokend {
namespace {

class BackupJob final : public QueryJob {
 public:
  explicit BackupJob(const Call& call) : QueryJob(call), server_(call.dispatcher.server()) {}

 private:
  Status Answer(msgpack_io::Writer& out) override {
    const Config& config = server_.config;
    BackupOptions options;
    options.directory = config.BackupDirectory();
    options.bytes_per_second_max = config.backup_bytes_per_second_max;
    options.keep = static_cast<uint32_t>(config.backup_keep);
    options.stop = &server_.stopping;
    BackupInfo backup;
    const uint64_t begun_ms = server_.clock.SteadyMs();
    if (Status status = server_.store.Backup(options, &backup); !status.ok()) {
      server_.log.Error("backup_failed", {{"error", status.message()}});
      return status;
    }
    server_.log.Info("backup", {{"id", uint64_t{backup.id}},
                                {"bytes", backup.bytes},
                                {"ms", server_.clock.SteadyMs() - begun_ms},
                                {"directory", options.directory}});
    out.MapHeader(3);
    out.Str("id");
    out.Uint(backup.id);
    out.Str("bytes");
    out.Uint(backup.bytes);
    out.Str("directory");
    out.Str(options.directory);
    return Status::Ok();
  }

  ServerContext& server_;
};

}  // namespace

void HandleBackup(Call& call) {
  Status status = DecodeNoParams(call.params);
  if (status.ok()) status = call.AllowEverywhere();
  if (!status.ok()) {
    call.connection.AnswerError(call.tag, status);
    return;
  }
  QueryJob::Submit(call, call.dispatcher.server().backups, std::make_unique<BackupJob>(call));
}

}  // namespace tokend
