;; Stands in for Spin's variables on a host that is not Spin: there is none, whatever its name.
(module
  (memory (export "cm32p2_memory") 1)
  ;; The error `undefined` with an empty text.
  (data (i32.const 0) "\01\00\00\00\01\00\00\00\00\00\00\00\00\00\00\00")
  (func (export "cm32p2|spin:variables/variables@3|get") (param i32 i32) (result i32) i32.const 0)
  (func (export "cm32p2|spin:variables/variables@3|get_post") (param i32))
  ;; Names are not looked at, so each may lie where the last one has.
  (func (export "cm32p2_realloc") (param i32 i32 i32 i32) (result i32) i32.const 16)
  (func (export "cm32p2_initialize")))
