#pragma once

struct MyHandle {
  int number;
};
