"""The paper's tables, its statements and the listings: sorted, filtered, folded, copied, traced."""

from __future__ import annotations

from .reading import Open, column, table_2


def test_sorting_by_a_column_there_and_back(opened: Open) -> None:
    page = opened("local").page
    table, header = table_2(page), table_2(page).locator("thead th").nth(6)
    for part in ("o", "d"):
        page.locator(f"#form input[value={part}]").uncheck()
    before = column(table, 7)
    printed = sorted(float(text.split("(")[0]) for text in before)
    header.locator("button").click()
    assert [float(t.split("(")[0]) for t in column(table, 7)] == printed
    assert header.get_attribute("aria-sort") == "ascending"
    header.locator("button").press("Enter")
    assert [float(t.split("(")[0]) for t in column(table, 7)] == printed[::-1]
    header.locator("button").press("Space")
    assert column(table, 7) == before != printed
    assert header.get_attribute("aria-sort") is None


def test_what_is_not_there_is_sorted_last_both_ways(opened: Open) -> None:
    page = opened("local").page
    page.locator("#form input[value=p]").uncheck()
    table = table_2(page)
    page.locator("#table2 .fold:visible").click()
    for _ in range(2):  # accuracy: MedNeXt alone has one
        table.locator("thead th button").nth(6).click()
        assert column(table, 1)[0].startswith("MedNeXt")
        assert column(table, 7)[0].startswith("98.50")


def test_filtering_rows(opened: Open) -> None:
    page = opened().page
    search = page.get_by_label("Filter Table 2, headline")
    search.fill("resnet 18")
    assert [name[:8] for name in column(table_2(page), 1)] == ["ResNet18"]
    count = page.locator("#table2 .variant").first.locator(".count")
    assert count.inner_text() == "1 of 11 rows"
    search.fill("nothing like it")
    assert column(table_2(page), 1) == ["No row fits."]
    search.fill("")
    assert count.inner_text() == "3 of 11 rows"  # the others were not run


def test_what_was_not_run_is_one_line_that_unfolds(opened: Open) -> None:
    page = opened("local").page
    fold = page.locator("#table2 .fold:visible")
    assert fold.inner_text() == (
        "Not run: ResNet50, DenseNet121, ResMLP, MLP-Mixer, SparseMLP, ViT, "
        "Swin-Transformer-v2, Patch-based CNN"
    )
    assert len(column(table_2(page), 1)) == 3
    fold.press("Enter")
    assert len(column(table_2(page), 1)) == 11 and fold.get_attribute("aria-expanded") == "true"
    assert "→" not in table_2(page).locator("tr.notrun").first.inner_text()
    fold.click()
    assert len(column(table_2(page), 1)) == 3


def test_printed_ours_and_difference_are_shown_and_hidden(opened: Open) -> None:
    page = opened("local").page
    accuracy = table_2(page).locator("tr.ours td").nth(5)
    assert accuracy.inner_text().split("\n") == ["98.39", "→ 98.50", "[97.80, 99.20]", "Δ +0.11 ="]
    part = {name: page.get_by_label(name, exact=True) for name in ("printed", "ours", "difference")}
    part["ours"].uncheck()
    assert accuracy.inner_text().split("\n") == ["98.39", "Δ +0.11 ="]
    part["printed"].uncheck()
    assert accuracy.inner_text() == "Δ +0.11 ="
    part["difference"].click()  # the last one stays: an empty table answers nothing
    assert part["difference"].is_checked() and accuracy.inner_text() == "Δ +0.11 ="


def test_a_table_is_copied_as_shown(opened: Open) -> None:
    page = opened("local").page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_label("ours", exact=True).uncheck()
    page.get_by_label("difference", exact=True).uncheck()
    page.get_by_label("Filter Table 2, headline").fill("densenet")

    def copy(kind: str) -> list[str]:
        page.get_by_role("button", name=f"Copy Table 2, headline as {kind}", exact=True).click()
        page.wait_for_function(
            "w => document.querySelector('#live').textContent.endsWith(w)", arg=kind
        )
        return str(page.evaluate("navigator.clipboard.readText()")).splitlines()

    assert copy("Markdown")[0].startswith("| Method | Params (M) ↓ | GMACs ↓ |")
    assert copy("Markdown")[2] == (
        "| DenseNet121 [51](a) | 7.97 | 2.87 | 96.31 | 95.68 | 97.86 | 98.01 | 0.9987 |"
    )
    assert copy("CSV")[1] == (
        '"DenseNet121 [51](a)","7.97","2.87","96.31","95.68","97.86","98.01","0.9987"'
    )
    latex = copy("LaTeX")
    assert latex[0] == r"\begin{tabular}{lrrrrrrr}" and r"Precision (\%)" in latex[2]
    assert latex[4].endswith(r"& 98.01 & 0.9987 \\")


def test_other_results_of_a_table_can_be_chosen(opened: Open) -> None:
    page = opened("local").page
    accuracy = table_2(page).locator("tr.ours td").nth(5)
    assert "98.50" in accuracy.inner_text()
    page.locator("#table2").get_by_label("Results").select_option("positive class COVID-19")
    shown = page.locator("#table2 .variant:visible")
    assert shown.count() == 1
    # made up to be ten points less with the other positive class
    assert "88.50" in shown.locator("tr.ours td").nth(5).inner_text()


def test_the_signs_are_explained_once_and_from_anywhere(opened: Open) -> None:
    page = opened("local").page
    assert "Cells read" not in page.locator("#tables").inner_text()
    page.locator("#provenance").scroll_into_view_if_needed()
    legend = page.locator("details.reading")
    legend.locator("summary").click()
    assert "equivalent" in legend.inner_text() and "seeds" in legend.inner_text()


def test_statements_are_chosen_by_verdict(opened: Open) -> None:
    page = opened("local").page
    claims = page.locator("#claims")
    table = claims.locator("table")
    first = table.locator("tbody tr").first
    assert first.locator("td").all_inner_texts()[4:] == [
        "true",
        "equivalent",
        "Table 2, MedNeXt (Ours), Accuracy (%): printed 98.39, ours 98.5 [97.8, 99.2]",
    ]
    claims.get_by_label("Arithmetic").select_option("false")
    assert [name[:4] for name in column(table, 1)] == ["X002"]
    claims.get_by_label("Reproduction").select_option("no cell")
    assert column(table, 1) == ["No row fits."]
    claims.get_by_label("Arithmetic").select_option("")
    assert [name[:4] for name in column(table, 1)] == ["X003"]


def test_listings_are_drawn_when_opened_and_shown_in_parts(opened: Open) -> None:
    page = opened().page
    place = page.locator("details[data-key=comparisons]")
    assert len(column(place.locator("table"), 1)) == 50
    place.get_by_role("button", name="Show all 120").click()
    assert len(column(place.locator("table"), 1)) == 120
    assert place.get_by_text("<b>p7</b>").count() == 1
    assert "Not measured" in page.locator("#data").inner_text()


def test_a_method_tells_where_its_numbers_come_from(opened: Open) -> None:
    page = opened().page
    table_2(page).locator("tr.ours .prov").click()
    dialog = page.get_by_role("dialog")
    text = dialog.inner_text()
    assert "MedNeXt on SARS-COV2-CT-Scan" in text and "3 runs" in text
    for digest in ("c" * 16, "d" * 16, "e" * 16, "f" * 16, "0" * 16):
        assert text.count(digest) == 3
    page.keyboard.press("Escape")
    assert not dialog.is_visible()
    assert page.evaluate("document.activeElement.dataset.method") == "mednext"
