#include "client/tokenctl/completion.h"

#include <fmt/format.h>

#include <set>
#include <utility>
#include <vector>

#include "client/tokenctl/help.h"

namespace tokend::tokenctl {

namespace {

// An option, or what stands for arguments without a name.
struct Words {
  std::vector<std::string> names;  // with their dashes
  std::string description;
  bool takes_value = false;
  bool takes_file = false;
  std::vector<std::string> choices;
};

struct Command {
  std::string path;                                           // "", "import", "clock accept"
  std::vector<std::pair<std::string, std::string>> commands;  // name, description
  std::vector<Words> options;  // of its own and, but for the root, the root's
  Words arguments;
};

std::string FirstSentence(const std::string& text) {
  return text.substr(0, std::min(text.find("; "), text.find(". ")));
}

Words WordsOf(const CLI::Option& option) {
  Words words;
  for (const std::string& name : option.get_snames()) words.names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) words.names.push_back("--" + name);
  words.description = FirstSentence(option.get_description());
  words.takes_value = option.get_items_expected_max() > 0;
  words.takes_file = option.get_type_name() == "FILE";
  words.choices = ChoicesOf(option);
  return words;
}

void Collect(const CLI::App& app, const std::string& path, const std::vector<Words>& inherited,
             std::vector<Command>* commands) {
  Command command;
  command.path = path;
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_positional()) {
      command.arguments = WordsOf(*option);
    } else {
      command.options.push_back(WordsOf(*option));
    }
  }
  // Every command has its own --help.
  for (const Words& words : inherited) {
    if (words.names.back() != "--help" && words.names.back() != "--version") {
      command.options.push_back(words);
    }
  }
  std::vector<Words> options = path.empty() ? command.options : inherited;
  auto children = app.get_subcommands([](const CLI::App*) { return true; });
  for (const CLI::App* child : children) {
    command.commands.emplace_back(child->get_name(), child->get_description());
  }
  commands->push_back(std::move(command));
  for (const CLI::App* child : children) {
    Collect(*child, path.empty() ? child->get_name() : path + " " + child->get_name(), options,
            commands);
  }
}

std::vector<Command> CommandsOf(const CLI::App& app) {
  std::vector<Command> commands;
  Collect(app, "", {}, &commands);
  return commands;
}

std::string Joined(const std::vector<std::string>& words, const char* separator) {
  return fmt::format("{}", fmt::join(words, separator));
}

std::vector<std::string> ValueOptions(const std::vector<Command>& commands) {
  std::set<std::string> names;
  for (const Command& command : commands) {
    for (const Words& words : command.options) {
      if (words.takes_value) names.insert(words.names.begin(), words.names.end());
    }
  }
  return {names.begin(), names.end()};
}

// `text` in single quotes, as bash and zsh take it.
std::string Quoted(const std::string& text) {
  std::string quoted = "'";
  for (char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

// The loop with which bash and zsh find the command that is being typed; the same but for the name
// of the words' array and where it begins.
std::string PathLoop(const std::vector<Command>& commands, const char* words, const char* current,
                     int first) {
  std::string script = fmt::format(
      "  for ((i = {2}; i < {1}; ++i)); do\n"
      "    case \"${{{0}[i]}}\" in\n"
      "      {3}) ((++i)) ;;\n"
      "      *)\n"
      "        case \"$command ${{{0}[i]}}\" in\n",
      words, current, first, Joined(ValueOptions(commands), "|"));
  for (const Command& command : commands) {
    for (const auto& [name, description] : command.commands) {
      script += fmt::format("          {}) command={} ;;\n", Quoted(command.path + " " + name),
                            Quoted(command.path.empty() ? name : command.path + " " + name));
    }
  }
  return script +
         "        esac ;;\n"
         "    esac\n"
         "  done\n";
}

// What bash and zsh do where the value of an option is being typed. The format gets the choices.
std::string ValueCases(const std::vector<Command>& commands, const std::string& previous,
                       const std::string& choices_format, const std::string& files) {
  std::string script = fmt::format("  case \"$command {}\" in\n", previous);
  for (const Command& command : commands) {
    for (const Words& words : command.options) {
      if (!words.takes_file && words.choices.empty()) continue;
      std::vector<std::string> patterns;
      for (const std::string& name : words.names) {
        patterns.push_back(Quoted(command.path + " " + name));
      }
      script += fmt::format(
          "    {}) {}; return ;;\n", Joined(patterns, "|"),
          words.takes_file ? files
                           : fmt::format(fmt::runtime(choices_format), Joined(words.choices, " ")));
    }
  }
  return script + fmt::format(
                      "  esac\n"
                      "  case \"{}\" in\n"
                      "    {}) return ;;\n"
                      "  esac\n",
                      previous, Joined(ValueOptions(commands), "|"));
}

std::string FishQuoted(const std::string& text) {
  std::string quoted = "'";
  for (char c : text)
    quoted += (c == '\'' || c == '\\') ? std::string("\\") + c : std::string(1, c);
  return quoted + "'";
}

}  // namespace

std::string BashCompletion(const CLI::App& app) {
  std::vector<Command> commands = CommandsOf(app);
  std::string script =
      "# bash completion of tokenctl: source <(tokenctl completion bash)\n"
      "_tokenctl() {\n"
      "  local current=\"${COMP_WORDS[COMP_CWORD]}\" previous=\"${COMP_WORDS[COMP_CWORD-1]}\"\n"
      "  local command='' words='' files='' i\n"
      "  COMPREPLY=()\n" +
      PathLoop(commands, "COMP_WORDS", "COMP_CWORD", 1) +
      ValueCases(commands, "$previous", "COMPREPLY=($(compgen -W '{}' -- \"$current\"))",
                 "COMPREPLY=($(compgen -f -- \"$current\"))") +
      "  case \"$command\" in\n";
  for (const Command& command : commands) {
    std::vector<std::string> words = command.arguments.choices;
    for (const auto& [name, description] : command.commands) words.push_back(name);
    for (const Words& option : command.options) {
      words.insert(words.end(), option.names.begin(), option.names.end());
    }
    script +=
        fmt::format("    {}) words={}{} ;;\n", Quoted(command.path), Quoted(Joined(words, " ")),
                    command.arguments.takes_file ? "; files=1" : "");
  }
  return script +
         "  esac\n"
         "  if [[ $files && $current != -* ]]; then\n"
         "    COMPREPLY=($(compgen -f -- \"$current\"))\n"
         "  else\n"
         "    COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
         "  fi\n"
         "}\n"
         "complete -F _tokenctl tokenctl\n";
}

std::string ZshCompletion(const CLI::App& app) {
  std::vector<Command> commands = CommandsOf(app);
  // _describe takes NAME:DESCRIPTION.
  auto entry = [](const std::string& name, const std::string& description) {
    std::string text = name + ":";
    for (char c : description) text += c == ':' ? std::string("\\:") : std::string(1, c);
    return Quoted(text);
  };
  std::string script =
      "#compdef tokenctl\n"
      "# zsh completion of tokenctl: source <(tokenctl completion zsh), or as _tokenctl in $fpath\n"
      "_tokenctl() {\n"
      "  local command='' files='' i\n"
      "  local -a commands options\n" +
      PathLoop(commands, "words", "CURRENT", 2) +
      ValueCases(commands, "${words[CURRENT-1]}", "compadd -- {}", "_files") +
      "  case \"$command\" in\n";
  for (const Command& command : commands) {
    std::vector<std::string> names, options;
    for (const auto& [name, description] : command.commands) {
      names.push_back(entry(name, description));
    }
    for (const std::string& choice : command.arguments.choices) names.push_back(Quoted(choice));
    for (const Words& words : command.options) {
      for (const std::string& name : words.names) {
        options.push_back(entry(name, words.description));
      }
    }
    script += fmt::format("    {})\n      commands=({})\n      options=({}){} ;;\n",
                          Quoted(command.path), Joined(names, " "), Joined(options, " "),
                          command.arguments.takes_file ? "\n      files=1" : "");
  }
  return script +
         "  esac\n"
         "  if [[ $PREFIX == -* ]]; then\n"
         "    _describe option options\n"
         "  elif [[ -n $files ]]; then\n"
         "    _files\n"
         "  elif (( $#commands )); then\n"
         "    _describe command commands\n"
         "  fi\n"
         "}\n"
         "if [[ $funcstack[1] == _tokenctl ]]; then _tokenctl; else compdef _tokenctl tokenctl; "
         "fi\n";
}

std::string FishCompletion(const CLI::App& app) {
  std::vector<Command> commands = CommandsOf(app);
  std::string script =
      "# fish completion of tokenctl: tokenctl completion fish | source\n"
      "function __tokenctl_command\n"
      "  set -l command ''\n"
      "  set -l skip 0\n"
      "  for word in (commandline -opc)[2..-1]\n"
      "    if test $skip = 1\n"
      "      set skip 0\n"
      "      continue\n"
      "    end\n"
      "    switch $word\n"
      "      case " +
      Joined(ValueOptions(commands), " ") +
      "\n"
      "        set skip 1\n"
      "      case '*'\n"
      "        switch \"$command/$word\"\n";
  for (const Command& command : commands) {
    for (const auto& [name, description] : command.commands) {
      script += fmt::format("          case {}\n            set command {}\n",
                            FishQuoted(command.path + "/" + name),
                            FishQuoted(command.path.empty() ? name : command.path + " " + name));
    }
  }
  script +=
      "        end\n"
      "    end\n"
      "  end\n"
      "  test \"$command\" = $argv[1]\n"
      "end\n"
      "complete -c tokenctl -f\n";
  for (const Command& command : commands) {
    std::string line =
        "complete -c tokenctl -n " + FishQuoted("__tokenctl_command " + FishQuoted(command.path));
    for (const auto& [name, description] : command.commands) {
      script += fmt::format("{} -a {} -d {}\n", line, name, FishQuoted(description));
    }
    if (command.arguments.takes_file) script += line + " -F\n";
    if (!command.arguments.choices.empty()) {
      script += fmt::format("{} -a {}\n", line, FishQuoted(Joined(command.arguments.choices, " ")));
    }
    for (const Words& words : command.options) {
      script += line;
      for (const std::string& name : words.names) {
        bool is_long = name.substr(0, 2) == "--";
        script += is_long ? " -l " + name.substr(2) : " -s " + name.substr(1);
      }
      if (words.takes_file) {
        script += " -r -F";
      } else if (words.takes_value) {
        script += " -x";
        if (!words.choices.empty()) script += " -a " + FishQuoted(Joined(words.choices, " "));
      }
      script += " -d " + FishQuoted(words.description) + "\n";
    }
  }
  return script;
}

}  // namespace tokend::tokenctl
