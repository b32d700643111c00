// CSV as RFC 4180 has it, what becomes of its columns, and how bad cells are refused: with line and column.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { OptionError } from "../../src/base/errors.ts";
import { type CsvOptions, delimiterOf, parseCsv, readInputTable } from "../../src/objectives/data/csv.ts";

const iris = "width,height,species\n5.1,3.5,setosa\n7,3.2,versicolor\n4.9,3,setosa\n";

describe("parseCsv", () => {
  it("takes the last column for the class, and numbers words in order of first appearance", () => {
    expect(parseCsv(iris)).toEqual({
      name: "the CSV",
      count: 3,
      features: 2,
      inputs: Float32Array.of(5.1, 3.5, 7, 3.2, 4.9, 3),
      scale: 1,
      classes: 2,
      classNames: ["setosa", "versicolor"],
      labels: Uint8Array.of(0, 1, 0),
      columns: {
        ...{ delimiter: ",", width: 3, header: true },
        inputs: [{ column: "width" }, { column: "height" }],
        ...{ targets: [], label: "species", weight: null },
      },
    });
  });

  it("takes the column called label where there is one, and bytes as bytes", () => {
    expect(parseCsv(" Label,a\n1,5\n0,6\n")).toMatchObject({
      labels: Uint8Array.of(1, 0),
      inputs: Uint8Array.of(5, 6),
    });
    expect(parseCsv("label,a,b\n2,0,255\n0,7,1\n1,1,1\n", { scale: 1 / 255 })).toMatchObject({
      inputs: Uint8Array.of(0, 255, 7, 1, 1, 1),
      scale: 1 / 255,
      classes: 3,
      labels: Uint8Array.of(2, 0, 1),
    });
  });

  it("takes numbers to predict, weights and chosen inputs, by name or number", () => {
    const text = "id,a,b,c,w\nx,1,2,3,0.5\ny,4,5,6,2\n";
    const wanted = {
      features: 1,
      inputs: Uint8Array.of(2, 5),
      outputs: 2,
      targets: Float32Array.of(3, 1, 6, 4),
      weights: Float32Array.of(0.5, 2),
    };
    expect(parseCsv(text, { targets: ["c", "a"], inputs: "b", weight: "w" })).toMatchObject(wanted);
    expect(parseCsv(text, { targets: [3, 1], inputs: [2], weight: 4 })).toMatchObject(wanted);
    expect(parseCsv("a,b\n1,2\n", { targets: "b" })).not.toHaveProperty("labels");
    expect(parseCsv("a,b,c\n1,2,0\n", { inputs: 0 })).toMatchObject({ features: 1, inputs: Uint8Array.of(1) });
    expect(() => parseCsv("a,b,c\n1,2,0\n", { inputs: "" })).toThrow('has no column ""; its columns are a, b, c');
  });

  it("distinguishes a header from numbers, unless an option says which it is", () => {
    expect(parseCsv("1,2,a\n3,4,b\n5,6,a\n")).toMatchObject({ count: 3, features: 2 });
    expect(parseCsv("1,2,3\n3,4,1\n", { header: true, classes: 2 })).toMatchObject({
      count: 1,
      labels: Uint8Array.of(1),
    });
    expect(parseCsv("1,2,y\n3,4,0\n", { label: "y" })).toMatchObject({ count: 1 });
    expect(() => parseCsv("a,b\n1,2\n", { header: false })).toThrow('line 1, column 0 (counted from 0) is "a"');
  });

  it.each<[string, string, object]>([
    ["numbers and a word, as pandas writes it", "0,1,label\n0.5,1,0\n0.7,2,1\n", { count: 2, features: 2, classes: 2 }],
    ["a word first", "label,0,1\n1,0.5,1\n0,0.7,2\n", { count: 2, labels: Uint8Array.of(1, 0) }],
    ["a word among numbers", "x,2,label\n0.5,1,0\n0.7,2,1\n", { count: 2, features: 2 }],
    ["an empty name above the numbers of rows", ",0,1,label\n0,5,1,0\n1,7,2,1\n", { count: 2, features: 3 }],
    ["years, and words for classes", "2019,index,region\n3,4,north\n5,6,south\n", { classNames: ["north", "south"] }],
  ])("takes a first line of %s for a header", (_, text, data) => {
    expect(parseCsv(text)).toMatchObject(data);
  });

  it.each<[string, string, number]>([
    ["words that come up again", "5.1,3.5,setosa\n7,3.2,versicolor\n4.9,3,setosa\n", 3],
    ["words beside numbers in one column", "1,2,K\n3,4,10\n5,6,K\n", 3],
    ["numbers that come twice, as names do not", "0,0,a\n0,1,b\n", 2],
    ["numbers below 0", "-1,0,a\n0,1,b\n", 2],
    ["nothing but numbers", "0,1\n1,0\n", 2],
  ])("takes a first line with %s for a row", (_, text, count) => {
    expect(parseCsv(text)).toMatchObject({ count });
  });

  it.each([
    ["2019,2020,region\n3,4,north\n5,6,south\n", "2019, 2020, region"],
    ["1,2,a\n3,4,b\n", "1, 2, a"],
    ["0,label\n5,a\n6,b\n", "0, label"],
    ["0,1,2\n3,4,1\n", "0, 1, 2"],
    ["1,2,3\n0.5,1,setosa\n0.7,2,virginica\n", "1, 2, 3"],
    ["2019,2020,2021\nnorth,1,2\nsouth,2,3\n", "2019, 2020, 2021"],
    [`${Array.from({ length: 785 }, (_, i) => i).join()}\n`, "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 775 more"],
  ])("refuses a first line that may be either: %j", (text, cells) => {
    expect(() => parseCsv(text, { name: "t.csv" })).toThrow(
      `t.csv line 1 could be a header or a row: ${cells}; set "header" to true or false`,
    );
    for (const header of [true, false]) expect(() => parseCsv(`${text}9,9,9`, { header })).not.toThrow("may name");
  });

  it.each(["?", "NaN", "na", "3.5x", "1st", ""])("takes no header for a first row with a cell that is %j", (cell) => {
    expect(() => parseCsv(`1,${cell},0\n0.5,1,0\n`)).toThrow(
      /line 1, column 1 .*it must be a number that float32 can hold, or with "header" true a name$/,
    );
  });

  it("takes time in proportion to the text, whatever is in it, and cells up to 65,536 characters", () => {
    const from = performance.now();
    for (const cell of [
      `${"1".repeat(65_000)}x`,
      `1${" ".repeat(65_000)}x`,
      `${" ".repeat(65_000)}x`,
      `.${"1".repeat(60_000)}.`,
    ]) {
      expect(() => parseCsv(`a,label\n${cell},0\n2,1\n`)).toThrow('line 2, column "a" is "');
    }
    expect(parseCsv(`a,label\n1${"0".repeat(30)},0\n0.${"3".repeat(1000)},1\n`).count).toBe(2);
    for (const cell of ["1".repeat(100_000), `"${"\n".repeat(100_000)}"`]) {
      expect(() => parseCsv(`a,label\n${cell},0\n2,1\n`)).toThrow(
        /line \S+ has a cell of 100,00\d characters; at most 65,536/,
      );
    }
    const columns = Array.from({ length: 40_000 }, (_, i) => `c${i}`);
    const row = columns.map((_, i) => i % 3).join();
    const text = `${columns.join()}\n${row}\n${row}\n${row}\n`;
    expect(parseCsv(text)).toMatchObject({ count: 3, features: 39_999 });
    expect(parseCsv(text, { targets: columns.slice(1), inputs: "c0" })).toMatchObject({ outputs: 39_999 });
    expect(parseCsv(text, { inputs: columns.slice(1), label: 0 })).toMatchObject({ features: 39_999 });
    expect(() => parseCsv(text, { label: "y" })).toThrow("c8, c9 and 39,990 more");
    expect(performance.now() - from).toBeLessThan(8000);
  });

  it("reads quotes, CRLF, a byte order mark, empty lines, and lines without an end", () => {
    const text = '\uFEFF"a ""x"", y",b,"l\r\nm"\r\n"1",2,"one, ""1"""\r\n\r\n3,"4","two\nlines"\r\n5,6,one';
    expect(parseCsv(text)).toMatchObject({
      count: 3,
      inputs: Uint8Array.of(1, 2, 3, 4, 5, 6),
      classNames: ['one, "1"', "two\nlines", "one"],
    });
    expect(parseCsv("a;b\r1;x\r", { delimiter: ";" })).toMatchObject({ count: 1, features: 1 });
    expect(() => parseCsv(`${text}\n7,x,one\n`)).toThrow('line 8, column "b" is "x"');
  });

  it("reads back whatever is written with quotes", () => {
    const cell = fc
      .string({ unit: fc.constantFrom('"', ",", "\n", "\r", "a", " ", "é") })
      .filter((s) => s.trim() !== "");
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.double({ min: -1e6, max: 1e6, noNaN: true }), cell), { minLength: 1 }),
        (rows) => {
          const names = rows.map(([, word]) => `w${word}w`);
          const text = rows.map(([x], i) => `${x},"${names[i]!.replaceAll('"', '""')}"`).join("\r\n");
          const data = parseCsv(text, { header: false });
          expect([...data.inputs].map((x) => x + 0)).toEqual(rows.map(([x]) => Math.fround(x) + 0));
          expect(data.labels && [...data.labels].map((label) => data.classNames![label])).toEqual(names);
        },
      ),
      { numRuns: 50 },
    );
  });

  it("takes given classes, by number or by name", () => {
    expect(parseCsv("1,0\n2,1\n", { classes: 10 })).toMatchObject({ classes: 10, labels: Uint8Array.of(0, 1) });
    const named = { classes: 2, classNames: ["-1", "1"], labels: Uint8Array.of(1, 0) };
    expect(parseCsv("5,1\n6,-1\n", { classes: ["-1", "1"] })).toMatchObject(named);
    expect(parseCsv(iris, { classes: 3 })).toMatchObject({ classes: 3, classNames: ["setosa", "versicolor"] });
    const many = { classes: 1001, labels: Uint32Array.of(1000, 3) };
    expect(parseCsv("1,1000\n2,3\n", { classes: 1001 })).toMatchObject(many);
  });

  it.each<[string, string, CsvOptions, string]>([
    ["nothing", "", {}, "t.csv is empty"],
    ["a header alone", "a,b\n", {}, "t.csv has no rows after its header"],
    ["a word for a number", "a,b\n1,0\nNA,1\n", {}, 't.csv line 3, column "a" is "NA"; it must be a number'],
    ["a number too large", "a,b\n1e39,0\n", {}, 't.csv line 2, column "a" is "1e39"'],
    ["another notation", "a,b\n0x10,0\n", {}, 't.csv line 2, column "a" is "0x10"'],
    ["NaN", "1,0\nNaN,1\n", {}, 't.csv line 2, column 0 (counted from 0) is "NaN"'],
    ["an empty cell", "a,b\n,0\n", {}, 't.csv line 2, column "a" is empty'],
    ["an empty label", "a,b\n1,\n", {}, 't.csv line 2, column "b" is empty; every row needs a label'],
    [
      "an open label among numbers",
      "a,b\n1,0\n2,NA\n",
      {},
      't.csv line 3, column "b" is "NA" among numbers; every row',
    ],
    [
      "a number that is another column's name",
      ",0,1\n0,5,1\n",
      { label: 1 },
      't.csv: column 1, counted from 0, is called "0", and column 2 is called "1"; in a run config, one of these names',
    ],
    [
      "classes that differ in a space",
      "a,b\n1,x\n2,x \n",
      {},
      't.csv: column "b" has "x" and "x ", which differ only in',
    ],
    [
      "categories that differ in a space",
      "a,b\nx,0\n x,1\nx,0\n x,1\n",
      {},
      'column "a" has "x" and " x", which differ',
    ],
    ["two columns of labels", "Label,LABEL\n1,0\n", {}, 't.csv has columns "Label", "LABEL"; "label" must name one'],
    ["a line too short", "a,b\n1,0\n\n1\n", {}, "t.csv line 4 has 1 columns; line 1 has 2"],
    ["a line too long", "1,0\n1,0,3\n", {}, "t.csv line 2 has 3 columns; line 1 has 2"],
    ["an open quote", 'a,b\n1,"x\n2,y\n', {}, "t.csv line 2 opens a quote that is never closed"],
    ["a quote in a quote", 'a,b\n1,"x"y"\n', {}, 't.csv line 2 has "y" after a closing quote'],
    ["a label below 0", "a,b\n1,-1\n", {}, 't.csv line 2, column "b" is -1; a label must be a whole number >= 0'],
    [
      "half a label",
      "1,0\n1,0.5\n",
      {},
      "t.csv line 2, column 1 (counted from 0) is 0.5; a label must be a whole number",
    ],
    ["a label too large", "a,b\n1,3\n", { classes: 3 }, 't.csv line 2, column "b" is 3; labels are 0 to 2'],
    [
      "an unknown class",
      iris,
      { classes: ["setosa"] },
      'line 3, column "species" is "versicolor", which is not one of',
    ],
    [
      "a class too many",
      iris,
      { classes: 1 },
      'line 3, column "species" is "versicolor", which is not one of the classes',
    ],
    ["a negative weight", "a,b,w\n1,0,-2\n", { label: "b", weight: "w" }, 'line 2, column "w" is -2; weights are >= 0'],
    [
      "a column that is not there",
      iris,
      { label: "kind" },
      't.csv has no column "kind"; its columns are width, height',
    ],
    ["a column beyond the last", "1,2\n", { label: 2 }, "t.csv has no column 2; its columns are 0 to 1"],
    ["a name without a header", "1,2\n", { label: "a", header: false }, 't.csv has no column "a"'],
    ["a name that two columns have", "a,a,b\n1,2,3\n", { label: "a" }, 't.csv has two columns "a"'],
    [
      "a column with two purposes",
      iris,
      { label: 2, weight: 2 },
      't.csv: column "species" is in "label" and in "weight"; each column has one purpose',
    ],
    ["a label as input", iris, { inputs: [0, 2] }, 't.csv: column "species" is in the default "label" and in "inputs"'],
    ["an input twice", iris, { inputs: [0, 0] }, 't.csv: column "width" is twice in "inputs"; each column has one'],
    [
      "amounts as labels",
      "rooms,price\n3,772000\n2,5\n",
      {},
      't.csv: column "price" would make 772001 classes of 2 rows; to predict numbers, give "targets" instead of "label"',
    ],
    ["one class too many for the rows", "1,0\n2,2\n", {}, "column 1 (counted from 0) would make 3 classes of 2 rows"],
    ["a fraction as label", "a,b\n1,1.5\n", {}, 'in "classes"; to predict numbers, give "targets" instead of "label"'],
    ["semicolons", "a;b;c\n1;2;0\n", {}, 't.csv has one column with "delimiter" ","; with ";" it has 3'],
    ["tabs", "a\tb\n1\t0\n", { label: "b" }, 't.csv has one column with "delimiter" ","; with "\\t" it has 2'],
    ["commas between tabs", "a,b\n1,0\n", { delimiter: "\t" }, 'with "," it has 2'],
    ["semicolons between quotes", '"a";"b"\n1;0\n', {}, 'if it separates cells, give it as "delimiter"'],
    ["no inputs", "a\n1\n", {}, "t.csv has no columns left as inputs (of 1)"],
  ])("refuses %s, saying where", (_, text, options, message) => {
    expect(() => parseCsv(text, { ...options, name: "t.csv" })).toThrow(message);
  });

  it("takes columns of another table by number only where these are the same columns", () => {
    const columnsOf = (text: string, options: CsvOptions) => parseCsv(text, options).columns;
    const read = (text: string, columns: ReturnType<typeof columnsOf>) =>
      readInputTable(text, columns, { name: "t.csv", features: 2, delimiter: "," });
    const turned = columnsOf("1,2,3,0\n", { inputs: [2, 0], header: false });
    expect(read("1,2,3,0\n", turned).inputs).toEqual(Float32Array.of(3, 1));
    expect(() => read("1,3\n", turned)).toThrow(
      't.csv has 2 columns, which may be in the order of the table that the model was trained on or of its "inputs", 2, 0; give all 4',
    );
    const shared = columnsOf("a,b,b,y\n1,2,3,0\n", { inputs: ["a", 2] });
    expect(read("a,b,b\n1,2,3\n", shared).inputs).toEqual(Float32Array.of(1, 3));
    expect(() => read("b,b,a\n2,3,1\n", shared)).toThrow('t.csv: column "a" is column 2, counted from 0; in the table');
  });

  it("takes a table with another delimiter than that of the table before", () => {
    const { columns } = parseCsv("a\tb\n1\t0\n", { delimiter: "\t" });
    const found = ["a,b\n", "a\tb\n", "a\n", ""].map((text) => delimiterOf("t.csv", text, columns));
    expect(found).toEqual([",", "\t", "\t", "\t"]);
    expect(delimiterOf("t.tsv", "a;b\n", parseCsv("a;b\n1;0\n", { delimiter: ";" }).columns)).toBe(";");
    expect(delimiterOf("t.TSV", "a", undefined)).toBe("\t");
  });

  it.each<[string, object, string]>([
    ["an unknown option", { labels: 1 }, 'options has an unknown option "labels"'],
    ["labels and targets", { label: 1, targets: 0 }, "targets is 0 beside label; give one or the other"],
    ["no targets", { targets: [] }, "targets is []; it must name at least one column"],
    ["a column that is none", { targets: [1, -1] }, "targets[1] is -1; it must be a column's name, or its number"],
    ["a header that is none", { header: "yes" }, 'header is "yes"; it must be true, false or "auto"'],
    ["a long delimiter", { delimiter: "||" }, 'delimiter is "||"; it must be one character other than a quote'],
    ["a scale of nothing", { scale: 0 }, "scale is 0; it must be a finite number > 0"],
    ["an infinite scale", { scale: Number.POSITIVE_INFINITY }, "scale is Infinity; it must be a finite number"],
    ["no classes", { classes: 0 }, "classes is 0; it must be a whole number"],
    [
      "the same class twice",
      { classes: ["a", "a"] },
      'classes is ["a","a"]; it must be a whole number >= 1, or an array',
    ],
  ])("refuses %s, naming the option", (_, options, message) => {
    expect(() => parseCsv(iris, options as CsvOptions)).toThrow(message);
  });

  it.each<[string, unknown, unknown, string]>([
    ["null for options", iris, null, "options is null; it must be an object with name, label"],
    ["a word for options", iris, ";", 'options is ";"; it must be an object with name'],
    ["an array of options", iris, [], "options is []; it must be an object"],
    ["a name that is none", iris, { name: 3 }, "name is 3; it must be a string"],
    ["no text", undefined, {}, "text is missing; it must be a string of CSV"],
    ["bytes", new Uint8Array(2), {}, "it must be a string of CSV"],
  ])("refuses %s", (_, text, options, message) => {
    const error = (() => {
      try {
        return parseCsv(text as string, options as CsvOptions);
      } catch (caught) {
        return caught;
      }
    })();
    expect(error).toBeInstanceOf(OptionError);
    expect((error as Error).message).toContain(message);
  });
});
