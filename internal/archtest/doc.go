// Package archtest holds no code, only tests that keep the tree in the shape
// the project agreed on. They read the source as it is (go list and go/parser,
// standard library only) and promise that:
//
//   - a package imports only those packages of the module that its row in
//     tables_test.go names, and an outside module is imported only by the
//     packages its row names;
//   - whoever imports ecp compiles the standard library and ecp, nothing else;
//   - every package has a package comment, and every exported name of a public
//     package a comment that says more than the name;
//   - no file written by hand is longer than 700 lines, and no line wider than 120
//     columns, but in packages that a list names until they are mended;
//   - words that the project has given up do not come back (the same list);
//   - pages of documentation name files and identifiers that are there;
//   - contexts come from the caller, tests do not sleep, libraries have no init.
//
// A failure says what to do next. The tables name packages that are still to
// come; a package that does not exist fails nothing.
package archtest
