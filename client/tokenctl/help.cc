#include "client/tokenctl/help.h"

#include <fmt/format.h>

#include "client/tokenctl/table.h"

namespace tokend::tokenctl {

namespace {

constexpr size_t kNameColumn = 26;
constexpr size_t kTextWidth = 80 - kNameColumn;

std::string Entry(const std::string& name, const std::string& text) {
  std::string out = "  " + name;
  if (out.size() + 1 > kNameColumn) out += "\n";
  bool first = true;
  for (const std::string& line : Wrap(text, kTextWidth)) {
    size_t column = first && out.back() != '\n' ? out.size() : 0;
    out += std::string(kNameColumn - column, ' ') + line + '\n';
    first = false;
  }
  if (out.back() != '\n') out += '\n';
  return out;
}

}  // namespace

std::string HelpFormatter::make_option(const CLI::Option* option, bool is_positional) const {
  std::string name = option->get_name(is_positional, !is_positional);
  // "STATE:{active,expired,revoked}" is STATE, and the choices go into the text.
  std::string type = option->get_type_name().substr(0, option->get_type_name().find(':'));
  if (!is_positional && option->get_items_expected_max() > 0) name += " " + type;
  std::string text = option->get_description();
  if (auto choices = ChoicesOf(*option); !choices.empty()) {
    text += fmt::format(" ({})", fmt::join(choices, ", "));
  }
  if (!option->get_default_str().empty()) text += "; default " + option->get_default_str();
  if (!option->get_envname().empty()) text += "; environment " + option->get_envname();
  if (option->get_required()) text += "; required";
  return Entry(name, text);
}

std::string HelpFormatter::make_subcommand(const CLI::App* command) const {
  return Entry(command->get_display_name(true), command->get_description());
}

std::string HelpFormatter::make_description(const CLI::App* command) const {
  return command->get_description() + ".\n";
}

std::string HelpText(const CLI::App& app) {
  const CLI::App* command = &app;
  std::string before;
  while (!command->get_subcommands().empty()) {
    before += (before.empty() ? "" : " ") + command->get_name();
    command = command->get_subcommands().front();
  }
  return command->help(before);
}

std::vector<std::string> ChoicesOf(const CLI::Option& option) {
  // IsMember adds them to the type's name: STATE:{active,expired,revoked}.
  std::string type = option.get_type_name();
  size_t open = type.find('{'), close = type.rfind('}');
  if (open == std::string::npos || close == std::string::npos) return {};
  return CLI::detail::split(type.substr(open + 1, close - open - 1), ',');
}

std::vector<std::string> Wrap(const std::string& text, size_t width) {
  std::vector<std::string> lines;
  std::string line;
  for (const std::string& word : CLI::detail::split(text, ' ')) {
    if (!line.empty() && DisplayWidth(line) + 1 + DisplayWidth(word) > width) {
      lines.push_back(std::exchange(line, ""));
    }
    line += (line.empty() ? "" : " ") + word;
  }
  lines.push_back(line);
  return lines;
}

}  // namespace tokend::tokenctl
