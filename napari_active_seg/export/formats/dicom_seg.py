"""DICOM segmentations: a picture as DICOM, and a SEG object that refers to it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from napari_active_seg._version import __version__
from napari_active_seg.export.base import OnPiece, PieceFiles, iter_pieces, needs_package
from napari_active_seg.export.dataset import ExportSet, Sample
from napari_active_seg.export.filenames import make_flat_names
from napari_active_seg.export.staging import StagingDir
from napari_active_seg.regions import UNLABELLED, LabelSchema

__all__ = ["DicomSeg"]

_UNKNOWN = "not labelled"
#: The root of UIDs made out of hashes (DICOM PS3.5, B.2).
_UID_ROOT = "2.25."


class DicomSeg:
    """``dicom/SPLIT/NAME.dcm`` and ``NAME.seg.dcm``."""

    name = "dicom-seg"
    title = "DICOM SEG (needs highdicom)"
    keeps_unlabelled = True
    summary = (
        "`dicom/SPLIT/NAME.dcm` is the picture (secondary capture), `NAME.seg.dcm` a binary "
        "segmentation that refers to it: a segment for each class and one called "
        f"`{_UNKNOWN}`. It has no patient: names and ids are made from the piece's name. "
        "Slides go in as tiles (`--as tiles`)."
    )

    def write(
        self, data: ExportSet, folder: StagingDir, on_piece: OnPiece
    ) -> Mapping[str, PieceFiles]:
        """Write picture and segmentation of each piece."""
        needs_package("highdicom", for_format=self.title)
        names = make_flat_names(data.pieces)
        found: dict[str, dict[str, str]] = {}
        for piece, _ in iter_pieces(data, on_piece):

            def write_picture(path: Path, piece: Sample = piece) -> None:
                _picture(piece, data.name, names[piece.name]).save_as(
                    path, enforce_file_format=True
                )

            def write_labels(path: Path, piece: Sample = piece) -> None:
                _segmentation(piece, data, names[piece.name]).save_as(path)

            place = f"dicom/{piece.split}/{piece.name}"
            found[piece.name] = {
                "picture": folder.once(f"{place}.dcm", write_picture),
                "dicom-seg": folder.once(f"{place}.seg.dcm", write_labels),
            }
        return found


def _picture(piece: Sample, study: str, name: str) -> Any:
    """Return the picture as a secondary capture; the same piece gets the same UIDs."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage

    pixels = piece.pixels()
    meta: Any = FileMetaDataset()
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = _uid(study, name, "picture")
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    found: Any = Dataset()
    found.file_meta = meta
    found.SpecificCharacterSet = "ISO_IR 192"
    found.SOPClassUID = SecondaryCaptureImageStorage
    found.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    found.StudyInstanceUID = _uid(study, name, "study")
    found.SeriesInstanceUID = _uid(study, name, "series")
    found.PatientID, found.PatientName = name[:64], f"{name[:60]}^"
    found.PatientBirthDate = found.PatientSex = found.AccessionNumber = ""
    found.StudyID, found.ReferringPhysicianName = "", ""
    found.StudyDate = found.StudyTime = found.PatientOrientation = ""
    found.Modality, found.ConversionType = "OT", "WSD"
    found.SeriesNumber, found.InstanceNumber = 1, 1
    found.Rows, found.Columns = piece.shape
    found.SamplesPerPixel, found.PlanarConfiguration = 3, 0
    found.PhotometricInterpretation = "RGB"
    found.BitsAllocated = found.BitsStored = 8
    found.HighBit, found.PixelRepresentation = 7, 0
    if piece.spacing is not None:
        found.NominalScannedPixelSpacing = [float(f"{um / 1000:.8g}") for um in piece.spacing]
    raw = pixels.tobytes()
    found.PixelData = raw + b"\0" * (len(raw) % 2)
    return found


def _segmentation(piece: Sample, data: ExportSet, name: str) -> Any:
    import highdicom as hd
    from pydicom.uid import ExplicitVRLittleEndian

    target = piece.target()
    kept = [value for value in range(len(data.schema)) if (target == value).any()]
    if (target == UNLABELLED).any():
        kept.append(UNLABELLED)
    masks = np.stack([target == value for value in kept], axis=-1).astype(np.uint8)
    return hd.seg.Segmentation(
        source_images=[_picture(piece, data.name, name)],
        pixel_array=masks[None],
        segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[
            _description(number, value, data.schema) for number, value in enumerate(kept, 1)
        ],
        series_instance_uid=_uid(data.name, name, "labels"),
        series_number=2,
        sop_instance_uid=_uid(data.name, name, "segmentation"),
        instance_number=1,
        manufacturer="napari-active-seg",
        manufacturer_model_name="napari-active-seg",
        software_versions=__version__,
        device_serial_number="0",
        transfer_syntax_uid=ExplicitVRLittleEndian,
        content_label="LABELS",
        omit_empty_frames=False,
    )


def _description(number: int, value: int, schema: LabelSchema) -> Any:
    import highdicom as hd
    from pydicom.sr.codedict import codes

    return hd.seg.SegmentDescription(
        segment_number=number,
        segment_label=_UNKNOWN if value == UNLABELLED else schema.names[value],
        segmented_property_category=codes.SCT.Tissue,
        segmented_property_type=codes.SCT.Tissue,
        algorithm_type=hd.seg.SegmentAlgorithmTypeValues.MANUAL,
        tracking_uid=_uid(str(number), "segment"),
        tracking_id=f"{number}",
    )


def _uid(*parts: str) -> str:
    digest = hashlib.sha256("/".join(parts).encode()).digest()[:16]
    return _UID_ROOT + str(int.from_bytes(digest, "big"))
