// tokenctl completion
#include <ostream>

#include "client/tokenctl/commands.h"
#include "client/tokenctl/completion.h"

namespace tokend::tokenctl {

namespace {

struct CompletionOptions {
  std::string shell;
};

constexpr char kCompletionExamples[] =
    "Examples:\n"
    "  source <(tokenctl completion bash)                               in ~/.bashrc\n"
    "  tokenctl completion zsh > \"${fpath[1]}/_tokenctl\"\n"
    "  tokenctl completion fish > ~/.config/fish/completions/tokenctl.fish\n";

}  // namespace

void AddCompletionCommand(CLI::App* app, Context* context) {
  AddCommand<CompletionOptions>(
      app, context, "completion", "Print a shell's completion script",
      [](CLI::App* command, CompletionOptions* options) {
        command->add_option("SHELL", options->shell, "bash, zsh or fish")
            ->type_name("SHELL")
            ->required()
            ->check(CLI::IsMember({"bash", "zsh", "fish"}));
      },
      [app](const Context& run_context, const CompletionOptions& options) -> int {
        run_context.out() << (options.shell == "bash"  ? BashCompletion(*app)
                              : options.shell == "zsh" ? ZshCompletion(*app)
                                                       : FishCompletion(*app));
        return kExitOk;
      })
      ->footer(kCompletionExamples);
}

}  // namespace tokend::tokenctl
