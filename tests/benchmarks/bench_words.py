"""How well classes are found by words that training never saw, with and without the captions that an adapter keeps.

    python tests/benchmarks/bench_words.py eurosat/labels.json nwpu12/labels.json nwpu_extra7/labels.json

Four wordings of each class, which no caption and no phrase of `geocmer/data/label_phrases.toml` has; they were written
before anything was measured on them. Accuracy is the share of the pictures whose class's wording comes first, P@20 the
share of the class among the first twenty pictures; both are means over the classes' wordings, one of each at a time.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from geocmer.datasets.annotations import load_pairs
from geocmer.datasets.label_captions import class_words, label_key
from geocmer.evaluation.class_retrieval import class_questions, class_scores
from geocmer.evaluation.similarity import IMAGE_BATCH
from geocmer.models.encoder import Encoder

WORDINGS = {
    "airport": ("aircraft landing strips", "aerodrome", "airstrip with jets", "aviation terminal"),
    "annualcrop": ("grain fields", "wheat and maize", "cereal plots", "sown acreage"),
    "beach": (
        "sand along the ocean shore",
        "seaside strand",
        "shoreline where surf breaks",
        "sunbathing spot by the ocean",
    ),
    "commercialarea": (
        "high-rise offices and shops",
        "skyscraper quarter",
        "mall and retail precinct",
        "bank headquarters towers",
    ),
    "desert": ("arid barren dunes", "sahara", "waterless wasteland", "sterile dune sea"),
    "farmland": (
        "tilled agricultural plots",
        "paddocks under the plough",
        "croft acreage",
        "irrigated agribusiness parcels",
    ),
    "forest": ("thick tree canopy", "jungle", "timberland", "conifer stands"),
    "grassland": ("open prairie of grass", "savanna", "steppe", "pampas turf"),
    "herbaceousvegetation": ("wild low plants", "heathland", "chaparral", "weedy scrubland"),
    "highway": ("multi-lane expressway", "autobahn", "turnpike", "dual carriageway"),
    "industrial": ("big storage halls", "manufacturing complex", "refinery and depots", "logistics hub"),
    "industrialarea": ("plants and storage halls", "manufacturing complex", "refinery and depots", "logistics hub"),
    "island": ("land encircled by the sea", "atoll", "isle", "landmass enclosed by ocean"),
    "lake": ("inland water basin", "loch", "mere", "freshwater tarn"),
    "mountain": ("steep rocky peaks", "alpine summits", "sierra", "craggy highlands"),
    "parking": ("place where automobiles are left", "garage lot for vehicles", "automobile stand", "parked sedans"),
    "pasture": ("land where cattle graze", "sheep grazing paddock", "rangeland for livestock", "cow meadow"),
    "permanentcrop": ("vines and fruit plantations", "grape trellises", "citrus groves", "almond trees in lines"),
    "port": ("docks for vessels", "wharf", "moorings and piers", "shipping quay"),
    "railway": ("train lines", "locomotive sidings", "railyard", "train depot"),
    "residential": ("neighbourhood homes with gardens", "suburbia", "bungalows", "dwellings and backyards"),
    "river": ("watercourse with bends", "meandering waterway", "creek", "fluvial channel"),
    "sealake": ("nothing but blue water", "ocean expanse", "lagoon", "blue marine surface"),
    "wetland": ("boggy ground with puddles", "peatland", "mire", "fen with reeds"),
}
"""Class -> four wordings of it."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sets", nargs="+", type=Path, help="labelled sets; their validation images are taken")
    parser.add_argument("--adapter", type=Path)
    asked = parser.parse_args()
    encoder = Encoder.load(adapter=asked.adapter)
    print("| set | words | without: accuracy, P@20 | with the captions |\n|---|---|---|---|")
    totals = []
    for file in asked.sets:
        pairs = load_pairs(file).with_validation().split("val")
        images = [pair.image for pair in pairs.pairs]
        batches = [images[i : i + IMAGE_BATCH] for i in range(0, len(images), IMAGE_BATCH)]
        size = encoder.backbone.size
        vectors = np.concatenate([encoder.encode_images(np.stack([i.pixels(size) for i in b])) for b in batches])
        questions = class_questions(pairs)
        if questions is None:
            parser.error(f"{file} has captions; give a labelled set")
        words, correct = questions
        keys = [label_key(text) for text in words]
        wordings = {"its label": [class_words(text) for text in words]}
        wordings |= {f"unseen, {n + 1}": [WORDINGS[key][n] for key in keys] for n in range(4)}
        for name, texts in wordings.items():
            found = []
            for one in (replace(encoder, captions=None), encoder):
                mean = class_scores(texts, vectors @ one.encode_texts(texts).T, correct)[-1]
                found.append((mean.accuracy, mean.precision))
            cells = " | ".join(f"{accuracy:.3f}, {precision:.3f}" for accuracy, precision in found)
            print(f"| {pairs.name} | {name} | {cells} |", flush=True)
            if name != "its label":
                totals.append(found)
    cells = " | ".join(f"{accuracy:.3f}, {precision:.3f}" for accuracy, precision in np.mean(totals, axis=0))
    print(f"| all | unseen | {cells} |")


if __name__ == "__main__":
    main()
