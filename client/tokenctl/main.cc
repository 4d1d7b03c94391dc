#include <iostream>

#include "client/tokenctl/app.h"
#include "client/tokenctl/terminal.h"

int main(int argc, char** argv) {
  std::ios::sync_with_stdio(false);
  return tokend::tokenctl::RunTokenctl({argv + 1, argv + argc},
                                       tokend::tokenctl::ProcessEnvironment());
}
