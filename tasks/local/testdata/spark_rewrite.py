# Prints what becomes of SQL whose names have three levels, and what it names.
import sys

from flowctl_rt.spark_names import Names, Rewriter
from flowctl_rt.spark_tokens import parameters, statements

names = Names("main", "recsys")
for sql in open(sys.argv[1]).read().split("\n"):
    if sql.strip() and not sql.startswith("#"):
        r = Rewriter(names, sql, {"cat": "c1", "sch": "s1"}, lambda p: "<" + p + ">")
        print(sql)
        print("  " + r.run())
        print("  " + " ".join([".".join(t) for t in r.tables] + ["schema " + ".".join(s) for s in r.schemas]))
print(statements("select 1; select ';' ; -- x;\n begin declare x int; if a then select 1; end if; end; select 2;;"))
print(parameters("select :a, b::int, c:d, ':x', :b -- :q"))
print(names.unfold("no `main__s`.`t`, and no spark_catalog.main__s.t"))
