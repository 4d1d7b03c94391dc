// tokenctl get, list, count
#include <ostream>

#include "client/tokenctl/commands.h"
#include "client/tokenctl/options.h"
#include "client/tokenctl/records.h"
#include "client/tokenctl/table.h"

namespace tokend::tokenctl {

namespace {

struct GetOptions {
  TokenInput token;
  std::string id;
  std::string namespace_name;
};

struct FilterOptions {
  std::string namespace_name;
  std::optional<std::string> owner;
  std::string state;
  std::optional<TimeArg> expires_after, expires_before;
  std::optional<uint64_t> expires_within_ms;
};

struct ListOptions {
  FilterOptions filters;
  std::string order;
  std::optional<uint32_t> limit;
  std::string cursor;
  bool all = false;
};

constexpr char kGetExamples[] =
    "Shows what is stored about a token, usage included. Exit code 4 where there is none.\n"
    "\nExamples:\n"
    "  tokenctl get                                         asks for the token without echo\n"
    "  tokenctl get --id 9f86d081884c7d659a2feaa0 --json\n";

constexpr char kListExamples[] =
    "Examples:\n"
    "  tokenctl list --owner alice --state active --order -expires_at\n"
    "                                       the valid tokens of an owner, newest expiry first\n"
    "  tokenctl list --namespace portal --state active --order -expires_at --limit 1\n"
    "                                       the latest valid token of a namespace\n"
    "  tokenctl list --expires-within 7d    what expires within a week\n"
    "  tokenctl list --all --json | jq -r '.items[].id'\n";

constexpr char kCountExamples[] =
    "Examples:\n"
    "  tokenctl count --owner alice --state active\n"
    "  tokenctl count --state expired --namespace portal\n";

int Get(const Context& context, const GetOptions& options) {
  if (!options.id.empty() && IsGiven(options.token)) throw UsageError("give a token or --id");
  std::optional<client::TokenInfo> record;
  if (!options.id.empty()) {
    record = Need(context.Connect().GetId(options.id, options.namespace_name));
  } else {
    GivenToken token = ReadToken(context, options.token);
    record = Need(context.Connect().Get(token.view(), options.namespace_name));
  }
  if (!record.has_value()) {
    context.err() << "tokenctl: there is no such token\n";
    if (context.json) context.PrintJson(nullptr);
    return kExitNo;
  }
  if (context.json) {
    context.PrintJson(RecordJson(*record));
  } else {
    PrintRecord(context, *record);
  }
  return kExitOk;
}

uint64_t TimeOf(const char* option, const TimeArg& time, uint64_t now_ms) {
  if (time.kind == TimeArg::Kind::kNever) {
    throw UsageError(std::string(option) + " should be a time, not never");
  }
  return ResolveTime(time, now_ms);
}

client::ListRequest RequestOf(const FilterOptions& filters, uint64_t now_ms) {
  client::ListRequest request;
  request.namespace_name = filters.namespace_name;
  request.owner = filters.owner;
  request.state = filters.state;
  if (filters.expires_after) {
    request.expires_after_ms = TimeOf("--expires-after", *filters.expires_after, now_ms);
  }
  if (filters.expires_before) {
    request.expires_before_ms = TimeOf("--expires-before", *filters.expires_before, now_ms);
  }
  if (filters.expires_within_ms) {
    request.expires_after_ms = now_ms;
    request.expires_before_ms = now_ms + *filters.expires_within_ms;
  }
  return request;
}

int List(const Context& context, const ListOptions& options) {
  client::ListRequest request = RequestOf(options.filters, context.now_ms());
  request.order = options.order;
  request.limit = options.limit;
  request.cursor = options.cursor;
  if (options.all && !options.limit) request.limit = 1000;  // a page: fewer round trips
  client::Client client = context.Connect();
  bool has_printed = false;
  while (true) {
    client::TokenPage page = Need(client.List(request));
    if (context.json) {
      nlohmann::ordered_json items = nlohmann::ordered_json::array();
      for (const client::TokenInfo& record : page.items) items.push_back(RecordJson(record));
      nlohmann::ordered_json cursor;
      if (!page.cursor.empty()) cursor = page.cursor;
      context.PrintJson({{"items", std::move(items)}, {"cursor", std::move(cursor)}});
    } else if (!page.items.empty()) {
      PrintRecords(context, page.items);
      has_printed = true;
    }
    request.cursor = page.cursor;
    if (page.cursor.empty() || !options.all) break;
  }
  if (context.json) return kExitOk;
  if (!request.cursor.empty()) {
    context.err() << "There is more: the same with --cursor " << Printable(request.cursor)
                  << ", or --all.\n";
  } else if (!has_printed) {
    context.err() << "No tokens.\n";
  }
  return kExitOk;
}

int Count(const Context& context, const FilterOptions& options) {
  uint64_t count = Need(context.Connect().Count(RequestOf(options, context.now_ms())));
  if (context.json) {
    context.PrintJson({{"count", count}});
  } else {
    context.out() << count << '\n';
  }
  return kExitOk;
}

void AddFilters(CLI::App* command, FilterOptions* options) {
  AddNamespace(command, &options->namespace_name);
  command->add_option("--owner", options->owner, "Only tokens of this owner")->type_name("OWNER");
  command->add_option("--state", options->state, "Only tokens that are so")
      ->type_name("STATE")
      ->check(CLI::IsMember({"active", "expired", "revoked"}));
  CLI::Option* after = AddTime(command, "--expires-after", &options->expires_after,
                               "Only tokens that expire at this time or later");
  CLI::Option* before = AddTime(command, "--expires-before", &options->expires_before,
                                "Only tokens that expire before this time");
  AddDuration(command, "--expires-within", &options->expires_within_ms,
              "Only tokens that expire between now and so long from now")
      ->excludes(after)
      ->excludes(before);
}

}  // namespace

void AddQueryCommands(CLI::App* app, Context* context) {
  AddCommand<GetOptions>(
      app, context, "get", "Show the record of a token",
      [](CLI::App* command, GetOptions* options) {
        AddTokenInput(command, &options->token);
        command->add_option("--id", options->id, "Id of the token")->type_name("ID");
        AddNamespace(command, &options->namespace_name);
      },
      Get)
      ->footer(kGetExamples);
  AddCommand<ListOptions>(
      app, context, "list", "List tokens of a namespace",
      [](CLI::App* command, ListOptions* options) {
        AddFilters(command, &options->filters);
        command
            ->add_option("--order", options->order,
                         "Sort by; a - in front: the latest first, never before all")
            ->type_name("ORDER")
            ->check(CLI::IsMember({"key", "expires_at", "-expires_at"}));
        command->add_option("--limit", options->limit, "Tokens a page, 1 to 1000; 100 unless given")
            ->type_name("COUNT")
            ->check(CLI::Range(1, 1000));
        command->add_option("--cursor", options->cursor, "Go on after the page that gave this")
            ->type_name("CURSOR");
        command->add_flag("--all", options->all, "Page after page, to the end");
      },
      List)
      ->footer(kListExamples);
  AddCommand<FilterOptions>(app, context, "count", "Count tokens of a namespace", AddFilters, Count)
      ->footer(kCountExamples);
}

}  // namespace tokend::tokenctl
