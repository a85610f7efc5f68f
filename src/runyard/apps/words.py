"""What pages and reports say, in English and in German, and how both write numbers and dates."""

import math
from datetime import datetime
from enum import StrEnum

from runyard.errors import UsageError

_HALVES_UP = 1 + 1e-12  # as browsers round, so that a page and its script say the same


class Language(StrEnum):
    """What a page is written in."""

    EN = "en"
    DE = "de"


def language(text: str) -> Language:
    """The language that a code such as "de" or "de_DE.UTF-8" names.

    Raises:
        UsageError: it is neither German nor English.
    """
    try:
        return Language(text[:2].lower())
    except ValueError:
        raise UsageError(f"'{text}' is none of the languages: de, en.") from None


class Words:
    """Texts and numbers of one language."""

    def __init__(self, language: Language = Language.EN) -> None:
        self.language = language
        self._index = list(Language).index(language)

    def __call__(self, key: str, **values: object) -> str:
        """The text for a key, with values filled in."""
        return TEXTS[key][self._index].format(**values)

    def number(self, value: float, places: int | None = None) -> str:
        """Three significant digits, or so many places; thousands apart; `–` for what is not finite."""
        if not math.isfinite(value):
            return "–"
        if places is None:
            places = 0 if value == round(value) and abs(value) < 1e15 else _places(value)
        text = f"{value * _HALVES_UP:,.{places}f}"
        if self.language is Language.DE:
            text = text.translate(str.maketrans(",.", ".,"))
        return text.replace("-", "−")

    def tick(self, value: float) -> str:
        """As `number`, without zeros at the end: for axes."""
        places = 0 if value == 0 else _places(value)
        while places and round(value, places - 1) == round(value, places):
            places -= 1
        return self.number(value, places)

    def percent(self, share: float, places: int = 1) -> str:
        """`97.2 %`, `97,2 %`."""
        return f"{self.number(100 * share, places)} %" if math.isfinite(share) else "–"

    def amount(self, value: float, unit: str) -> str:
        """A cost with its unit."""
        return f"{self.cost(value)} {unit}".strip()

    def cost(self, value: float) -> str:
        """Two places, from 100 on none."""
        return self.number(value, 0 if abs(value) >= 100 else 2)

    def date(self, at: datetime) -> str:
        """`23 November 2026`, `23. November 2026`."""
        month = TEXTS["months"][self._index].split()[at.month - 1]
        return f"{at.day}{'.' if self.language is Language.DE else ''} {month} {at.year}"

    def duration(self, seconds: float) -> str:
        """Two units at most: `3 min 20 s`."""
        if seconds < 10:
            return f"{self.number(seconds, 1)} s"
        minutes, rest = divmod(round(seconds), 60)
        hours, minutes = divmod(minutes, 60)
        if hours:
            return f"{hours} h {minutes} min"
        return f"{minutes} min {rest} s" if minutes else f"{rest} s"

    def size(self, size_bytes: float) -> str:
        """`6.1 kB`, `1,2 GB`."""
        for unit in ("B", "kB", "MB"):
            if size_bytes < 1000:
                return f"{self.number(size_bytes)} {unit}"
            size_bytes /= 1000
        return f"{self.number(size_bytes)} GB"

    def state(self, state: str) -> str:
        """How a run ended, for somebody who does not know our states; others are left as they are."""
        key = f"state_{state.lower()}"
        return self(key) if key in TEXTS else state

    def own(self, text: str) -> str:
        """What a new project's page says in English, in this language; all other texts are the customer's."""
        key = _OWN.get(text)
        return self(key) if key else text

    @property
    def locale(self) -> str:
        """As browsers name it."""
        return "de-DE" if self.language is Language.DE else "en-GB"


def _places(value: float) -> int:
    if value == 0:
        return 0
    return min(max(2 - math.floor(math.log10(abs(value))), 0), 6)


TEXTS: dict[str, tuple[str, str]] = {
    "months": (
        "January February March April May June July August September October November December",
        "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    ),
    # pages
    "page": ("Page", "Seite"),
    "language": ("Language", "Sprache"),
    "try": ("Try it", "Ausprobieren"),
    "threshold": ("Where to draw the line", "Wo die Grenze liegt"),
    "errors": ("What it gets wrong", "Wo es sich irrt"),
    "compare": ("Old and new", "Alt und neu"),
    "report": ("Take it with you", "Zum Mitnehmen"),
    "run": ("Model", "Modell"),
    "for_customer": ("for {customer}", "für {customer}"),
    "problem": ("This page cannot be shown: {problem}", "Diese Seite lässt sich nicht zeigen: {problem}"),
    "no_predictions": (
        "The model “{run}” has kept no answers of an evaluation. Train it again with `run.log_predictions` at the "
        "end of `src/train.py`.",
        "Das Modell „{run}“ hat keine Antworten einer Auswertung aufbewahrt. Trainieren Sie es noch einmal, mit "
        "`run.log_predictions` am Ende von `src/train.py`.",
    ),
    "no_scores": (
        "This model gives answers without scores, so there is no threshold to move.",
        "Dieses Modell gibt Antworten ohne Werte, daher lässt sich keine Schwelle verschieben.",
    ),
    "without_doubtful": (
        "Leave out samples whose label is in doubt ({n})",
        "Proben mit zweifelhafter Beschriftung weglassen ({n})",
    ),
    # try
    "computing": ("The model is computing …", "Das Modell rechnet …"),
    "try_intro": (
        "Give the model something it has never seen.",
        "Zeigen Sie dem Modell etwas, das es noch nie gesehen hat.",
    ),
    "upload": ("Your own files", "Eigene Dateien"),
    "samples": ("Samples", "Beispiele"),
    "camera": ("Camera", "Kamera"),
    "choose": ("Choose one or more", "Eines oder mehrere auswählen"),
    "nothing_chosen": (
        "Upload a file or choose a sample above.",
        "Laden Sie eine Datei hoch, oder wählen Sie oben ein Beispiel.",
    ),
    "no_model": (
        "The model itself is not at hand, so nothing new can be tried. Everything else works.",
        "Das Modell selbst ist nicht zur Hand, daher lässt sich nichts Neues ausprobieren. Alles andere geht.",
    ),
    "unanswered": ("{name} gets no answer: {problem}", "{name} bekommt keine Antwort: {problem}"),
    "unreadable": ("{name} cannot be read: {problem}", "{name} lässt sich nicht lesen: {problem}"),
    "took": ("{ms} ms", "{ms} ms"),
    "truth": ("Truth", "Wahrheit"),
    "strength": ("How strongly the overlay shows", "Wie stark die Überlagerung zu sehen ist"),
    # threshold
    "threshold_intro": (
        "A stricter line misses less and stops more good ones. What is right depends on what each mistake costs you.",
        "Eine strengere Grenze übersieht weniger und hält mehr Gute auf. Was richtig ist, hängt davon ab, was Sie "
        "jeder Fehler kostet.",
    ),
    "wanted": ("What is looked for", "Wonach gesucht wird"),
    "line": ("Threshold", "Schwelle"),
    "cost_of": ("One “{name}” costs", "Einmal „{name}“ kostet"),
    "share": ("{label}: how many of {per} {things}", "{label}: wie viele je {per} {things}"),
    "missed": ("missed", "übersehen"),
    "alarm": ("false alarm", "Fehlalarm"),
    "things": ("samples", "Proben"),
    "of_things": ("of {per} {things}", "je {per} {things}"),
    "per_things": ("per {per} {things}", "je {per} {things}"),
    "cost": ("Cost", "Kosten"),
    "at": ("at {threshold}", "bei {threshold}"),
    "chosen": ("chosen", "gewählt"),
    "cheapest": ("cheapest", "günstigste"),
    "cheapest_at": ("Cheapest at {threshold}: {cost}", "Am günstigsten bei {threshold}: {cost}"),
    "use_cheapest": ("Use the cheapest", "Die günstigste nehmen"),
    "passed": ("passes, rightly", "geht zu Recht durch"),
    "hit": ("found, rightly", "zu Recht gefunden"),
    "measured": (
        "measured: {k} of {n} (95 %: {low} to {high})",
        "gemessen: {k} von {n} (95 %: {low} bis {high})",
    ),
    "share_note": (
        "The rates were measured on {n} samples of the evaluation; they are applied to the share given above.",
        "Die Raten sind an {n} Proben der Auswertung gemessen; angewendet werden sie auf den oben genannten Anteil.",
    ),
    "measured_on": ("Measured on {n} samples of the evaluation.", "Gemessen an {n} Proben der Auswertung."),
    "sampled_note": (
        "Drawn from an even selection of {n} scores.",
        "Gezeichnet aus einer gleichmäßigen Auswahl von {n} Werten.",
    ),
    "cost_curve": ("Cost over the threshold", "Kosten über der Schwelle"),
    "image_note": (
        "Each picture is asked: is there a “{label}” in it, wherever it lies? How well the boxes are placed "
        "stands in the report.",
        "Jedes Bild wird gefragt: Ist darauf irgendwo „{label}“? Wie gut die Rahmen sitzen, steht im Bericht.",
    ),
    "distance_intro": (
        "These answers are numbers, so there is no line to draw. What matters is how far off an answer may be, "
        "and what it costs when it is further off.",
        "Diese Antworten sind Zahlen, es gibt also keine Grenze zu ziehen. Entscheidend ist, wie weit eine Antwort "
        "danebenliegen darf, und was es kostet, wenn sie weiter danebenliegt.",
    ),
    "tolerance": ("How far off an answer may be", "Wie weit eine Antwort danebenliegen darf"),
    "within": ("close enough", "nah genug"),
    "too_low": ("too low", "zu niedrig"),
    "too_high": ("too high", "zu hoch"),
    "within_curve": ("Close enough over what is allowed", "Nah genug über dem Erlaubten"),
    "share_within": ("Share of the answers", "Anteil der Antworten"),
    "off_by": ("off by at most", "höchstens daneben um"),
    # how good
    "quality": ("How good it is", "Wie gut es ist"),
    "accuracy": ("right", "richtig"),
    "wrong_of": ("{errors} wrong of {n}", "{errors} falsch von {n}"),
    "between": ("95 %: {low} to {high}", "95 %: {low} bis {high}"),
    "n_samples": ("samples in the evaluation", "Proben in der Auswertung"),
    "per_sample": ("per sample (median)", "je Probe (Median)"),
    "all_right": ("pictures without any mistake", "Bilder ganz ohne Fehler"),
    "wrong_pictures": ("pictures with a mistake", "Bilder mit Fehler"),
    "boxes_found": ("of the things are found", "der Dinge werden gefunden"),
    "boxes_right": ("of what it says is right", "dessen, was es sagt, stimmt"),
    "mean_precision": ("mean average precision (overlap 50 %)", "mittlere Average Precision (Überlappung 50 %)"),
    "frames_note": (
        "Solid green: the truth. Dashed: the answer, blue where it is right and red where it is wrong. “–” stands for "
        "nothing: what was missed, and what is not there.",
        "Durchgezogen grün: die Wahrheit. Gestrichelt: die Antwort, blau wo sie stimmt, rot wo sie falsch ist. „–“ "
        "steht für nichts: was übersehen wurde, und was nicht da ist.",
    ),
    "over_time": ("Truth (grey) and answers (blue) over time", "Wahrheit (grau) und Antworten (blau) über der Zeit"),
    "mean_error": ("mean error", "mittlerer Fehler"),
    "root_mean_square": ("root mean square error", "Wurzel des mittleren quadratischen Fehlers"),
    "r2": ("of the spread explained (R²)", "der Streuung erklärt (R²)"),
    "confusion": ("What is taken for what", "Was wofür gehalten wird"),
    "truth_answer": ("truth ↓  answer →", "Wahrheit ↓  Antwort →"),
    "most_confused": ("Most frequent confusions", "Häufigste Verwechslungen"),
    "class": ("Class", "Klasse"),
    "count": ("Count", "Anzahl"),
    "recall": ("found", "gefunden"),
    "precision": ("right if said", "richtig, wenn gesagt"),
    "roc": ("Found over false alarms (ROC)", "Gefunden über Fehlalarmen (ROC)"),
    "pr": ("Right over found (precision, recall)", "Richtig über gefunden (Precision, Recall)"),
    "area": ("area {area}", "Fläche {area}"),
    "truth_over": ("Answer over truth", "Antwort über Wahrheit"),
    "answer": ("Answer", "Antwort"),
    # errors
    "errors_intro": (
        "The worst first. If the label is wrong and not the model, say so: it is written down for the next training.",
        "Das Schlimmste zuerst. Ist die Beschriftung falsch und nicht das Modell, sagen Sie es: Es wird für das "
        "nächste Training notiert.",
    ),
    "no_errors": ("No errors: all {n} answers are right.", "Keine Fehler: Alle {n} Antworten sind richtig."),
    "group": ("In groups by", "In Gruppen nach"),
    "by_label": ("truth", "Wahrheit"),
    "by_confusion": ("confusion", "Verwechslung"),
    "by_nothing": ("no groups", "ohne Gruppen"),
    "order": ("Order", "Reihenfolge"),
    "worst": ("worst first", "Schlimmste zuerst"),
    "closest": ("closest calls first", "Knappste zuerst"),
    "by_id": ("by name", "nach Name"),
    "is_was": ("is {target}, taken for {prediction}", "ist {target}, gehalten für {prediction}"),
    "should_be": ("{target}, answered {prediction}", "{target}, geantwortet {prediction}"),
    "sure": ("{percent} sure", "{percent} sicher"),
    "label_wrong": ("label is wrong", "Beschriftung ist falsch"),
    "right_label": ("right would be", "richtig wäre"),
    "unknown": ("don't know", "weiß nicht"),
    "doubts": ("Labels in doubt: {n}", "Zweifelhafte Beschriftungen: {n}"),
    "download_doubts": ("Download the list", "Liste herunterladen"),
    "kept_in": ("kept in {file}", "aufbewahrt in {file}"),
    "n_errors": ("{n} errors", "{n} Fehler"),
    "first_of": ("the first {shown} of {n}", "die ersten {shown} von {n}"),
    "previous": ("Back", "Zurück"),
    "next": ("More", "Weitere"),
    "no_picture": ("no picture", "kein Bild"),
    # compare
    "compare_intro": (
        "The same samples, seen by both models. Only those are shown on which one of them is better.",
        "Dieselben Proben, von beiden Modellen gesehen. Gezeigt werden nur die, bei denen eines besser ist.",
    ),
    "no_second": (
        "There is no second model to compare with. Name one with `--compare RUN`.",
        "Es gibt kein zweites Modell zum Vergleichen. Nennen Sie eines mit `--compare RUN`.",
    ),
    "not_comparable": (
        "The two models answer different questions and cannot be compared.",
        "Die beiden Modelle beantworten verschiedene Fragen und lassen sich nicht vergleichen.",
    ),
    "no_common": (
        "The two models have no sample in common, so they cannot be compared.",
        "Die beiden Modelle haben keine Probe gemeinsam und lassen sich daher nicht vergleichen.",
    ),
    "only_better": ("only {name} is right", "nur {name} liegt richtig"),
    "only_nearer": ("{name} is nearer", "{name} ist näher dran"),
    "both_right": ("both right", "beide richtig"),
    "both_wrong": ("both wrong", "beide falsch"),
    "of_common": ("of {n} samples that both have seen", "von {n} Proben, die beide gesehen haben"),
    "left_out": (
        "{n} samples are left out: their label differs between the two evaluations.",
        "{n} Proben sind ausgelassen: Ihre Beschriftung unterscheidet sich zwischen den Auswertungen.",
    ),
    "no_difference": (
        "Both models answer equally well on every sample.",
        "Beide Modelle antworten bei jeder Probe gleich gut.",
    ),
    "verdict_clear": (
        "{better} is better: on {most} samples against {few}. If both were equally good, chance would make a "
        "difference this large in {p} of such comparisons, so it is hardly chance (McNemar).",
        "{better} ist besser: bei {most} Proben gegen {few}. Wären beide gleich gut, brächte der Zufall einen so "
        "großen Unterschied in {p} solcher Vergleiche, Zufall ist es also kaum (McNemar).",
    ),
    "verdict_chance": (
        "{better} is ahead on {most} samples against {few}. But if both were equally good, chance would make a "
        "difference this large in {p} of such comparisons: it may well be chance (McNemar). More samples would tell.",
        "{better} liegt bei {most} Proben gegen {few} vorn. Doch wären beide gleich gut, brächte der Zufall einen so "
        "großen Unterschied in {p} solcher Vergleiche: Es kann Zufall sein (McNemar). Mehr Proben würden es klären.",
    ),
    "verdict_even": (
        "It is a draw: each is better on {few} samples.",
        "Unentschieden: Jedes ist bei {few} Proben besser.",
    ),
    "less_than": ("less than {p}", "weniger als {p}"),
    "compared_with": ("Compared with {name}", "Im Vergleich mit {name}"),
    "says": ("{name}: {answer}", "{name}: {answer}"),
    # report
    "report_intro": (
        "All of this in one file: it needs no program and no network, can be mailed, printed, opened in five years.",
        "All das in einer Datei: Sie braucht kein Programm und kein Netz, lässt sich mailen, drucken und in fünf "
        "Jahren noch öffnen.",
    ),
    "redact": (
        "Leave out paths, and names of users and machines",
        "Pfade sowie Namen von Personen und Rechnern weglassen",
    ),
    "download": ("Download as one file", "Als eine Datei herunterladen"),
    "as_table": ("All answers as a table (CSV)", "Alle Antworten als Tabelle (CSV)"),
    "contents": ("Contents", "Inhalt"),
    "report_of": ("Report", "Bericht"),
    "overview": ("At a glance", "Auf einen Blick"),
    "training": ("How it was trained", "Wie es trainiert wurde"),
    "settings": ("Settings", "Einstellungen"),
    "changed_note": ("● differs from the project's default", "● weicht vom Standard des Projekts ab"),
    "metrics": ("Metrics", "Messwerte"),
    "last": ("last", "zuletzt"),
    "best": ("best", "bester"),
    "step": ("step", "Schritt"),
    "origin": ("Where it comes from", "Woher es kommt"),
    "data": ("Data", "Daten"),
    "data_version": ("version of the evaluation", "Stand der Auswertung"),
    "data_path": ("place", "Ort"),
    "code": ("Code", "Code"),
    "environment": ("Environment", "Umgebung"),
    "packages": ("Packages", "Pakete"),
    "made_by": ("made by", "erstellt von"),
    "made_at": ("trained", "trainiert"),
    "duration": ("took", "Dauer"),
    "state": ("state", "Zustand"),
    "project": ("project", "Projekt"),
    "experiment": ("question", "Frage"),
    "note": ("note", "Notiz"),
    "tags": ("tags", "Merkmale"),
    "host": ("machine", "Rechner"),
    "id": ("id", "Kennung"),
    "commit": ("revision", "Revision"),
    "changes": ("changes", "Änderungen"),
    "uncommitted": ("with uncommitted changes", "mit nicht eingecheckten Änderungen"),
    "branch": ("branch", "Zweig"),
    "snapshot": ("snapshot", "Momentaufnahme"),
    "python": ("Python", "Python"),
    "platform": ("system", "System"),
    "cpu": ("processor", "Prozessor"),
    "gpus": ("computed on", "gerechnet auf"),
    "one_file": ("1 file", "1 Datei"),
    "n_files": ("{n} files", "{n} Dateien"),
    "forecasts": ("forecasts", "Vorhersagen"),
    "images": ("images", "Bilder"),
    "state_completed": ("completed", "abgeschlossen"),
    "state_failed": ("failed", "fehlgeschlagen"),
    "state_out_of_memory": ("out of memory", "Speicher hat nicht gereicht"),
    "state_timed_out": ("timed out", "Zeitgrenze erreicht"),
    "state_stopped": ("stopped", "angehalten"),
    "state_interrupted": ("interrupted", "unterbrochen"),
    "state_lost": ("lost", "verschollen"),
    "state_running": ("still running", "läuft noch"),
    "state_queued": ("waiting", "wartet"),
    "state_held": ("held back", "zurückgehalten"),
    "driver": ("driver", "Treiber"),
    "redacted_note": (
        "Paths and names of people and machines are left out of this report.",
        "Pfade sowie Namen von Personen und Rechnern sind in diesem Bericht weggelassen.",
    ),
    "thumbnails_note": (
        "{n} pictures were left out to keep this file small.",
        "{n} Bilder sind weggelassen, damit diese Datei klein bleibt.",
    ),
    "no_script": (
        "Scripts are switched off here, so the threshold cannot be moved; all else is complete.",
        "Skripte sind hier abgeschaltet, daher lässt sich die Schwelle nicht verschieben; sonst ist alles da.",
    ),
    "footer": ("Written by Runyard {version}, {date}", "Geschrieben von Runyard {version}, {date}"),
}

# what src/visualization/explore.py of a new project says, in whose place a customer's words will come
_OWN = {TEXTS[key][0]: key for key in ("missed", "alarm", "too_low", "too_high", "things", "forecasts", "images")}
