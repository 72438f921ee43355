#pragma once

struct MyRun {
  int first;
};
