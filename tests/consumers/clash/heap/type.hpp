#pragma once

enum class MyType { number, string };
