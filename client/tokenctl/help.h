// How --help looks: as CLI11 has it, but in 80 columns, with choices told in words and without what
// the examples say better.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace tokend::tokenctl {

class HelpFormatter : public CLI::Formatter {
 public:
  std::string make_option(const CLI::Option* option, bool is_positional) const override;
  std::string make_subcommand(const CLI::App* command) const override;
  std::string make_description(const CLI::App* command) const override;
};

// The help of the command that was given last, or of the root.
std::string HelpText(const CLI::App& app);

// The choices of an option that was made with CLI::IsMember; empty for others.
std::vector<std::string> ChoicesOf(const CLI::Option& option);

// `text` in lines of at most `width` characters, broken at spaces.
std::vector<std::string> Wrap(const std::string& text, size_t width);

}  // namespace tokend::tokenctl
