package local_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What a workspace ships below /databricks-datasets is made up when somebody
// looks at it, the same each time, and what a user has put there is left alone.
func TestDatasetsAreMadeUp(t *testing.T) {
	l := newLab(t)
	l.notebook("read", `
import csv, glob, json
top = "/dbfs/databricks-datasets/retail-org/sales_orders"
files = sorted(f.name for f in dbutils.fs.ls("dbfs:/databricks-datasets/retail-org/sales_orders/"))
rows = [json.loads(line) for f in files for line in open(top + "/" + f)]
print(len(files), len(rows), sorted(rows[0])[-3:], sum(1564617600 <= int(r["order_datetime"]) < 1567296000 for r in rows) > 0)
with open("/dbfs/databricks-datasets/wine-quality/winequality-red.csv") as f:
    print(len(list(csv.DictReader(f, delimiter=";"))))
print([f.name for f in dbutils.fs.ls("/databricks-datasets/retail-org")])
try:
    open("/dbfs/databricks-datasets/nobody/knows")
except FileNotFoundError:
    print("no such data")`)
	log := l.ok("read")
	for _, line := range []string{"4 400 ['order_number', 'ordered_products', 'promo_info'] True\n", "600\n", "['customers/', 'products/', 'sales_orders/']\nno such data\n"} {
		assert.Contains(t, log, line)
	}
	assert.Contains(t, log, "/databricks-datasets/retail-org/sales_orders is made up here")
	assert.NotContains(t, l.ok("read"), "made up", "it is there now")
	left, err := filepath.Glob(filepath.Join(l.home, "fs", "dbfs", "databricks-datasets", "*", ".new-*"))
	require.NoError(t, err)
	assert.Empty(t, left)

	real := filepath.Join(l.home, "fs", "dbfs", "databricks-datasets", "structured-streaming", "events")
	require.NoError(t, os.MkdirAll(real, 0o755))
	l.notebook("own", `print(dbutils.fs.ls("/databricks-datasets/structured-streaming/events"))`)
	assert.Equal(t, "[]\n", l.ok("own"))
}

func TestSparkSamples(t *testing.T) {
	l := sparkLab(t)
	l.notebook("read", `
spark.sql("USE CATALOG samples")
spark.sql("USE SCHEMA tpcds_sf1")
print(spark.sql("SELECT count(*) FROM web_sales, date_dim WHERE d_date_sk = ws_sold_date_sk AND d_year = 1999").first()[0] > 0)
print(spark.sql("SELECT n_name, sum(o_totalprice) FROM samples.tpch.orders JOIN samples.tpch.customer ON o_custkey = c_custkey JOIN samples.tpch.nation ON n_nationkey = c_nationkey GROUP BY 1").count())
path = "/databricks-datasets/nyctaxi-with-zipcodes/subsampled"
print(spark.read.format("delta").load(path).count(), spark.sql("SELECT * FROM delta.`+"`dbfs:%s`"+`" % path).columns == spark.table("samples.nyctaxi.trips").columns)`)
	log := l.ok("read")
	assert.Contains(t, log, "True\n")
	assert.Contains(t, log, "25\n")
	assert.Contains(t, log, "2000 True\n")
	assert.NotContains(t, log, "was not here", "a workspace has the schemas of samples")
}
